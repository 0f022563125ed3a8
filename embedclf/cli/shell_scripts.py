"""How bash and fish complete, where click's own scripts fall short."""

import os
from typing import ClassVar

from click.shell_completion import BashComplete, FishComplete, add_completion_class, split_arg_string

# Names may have a colon or a space. The line is passed as it was typed, since bash has split it at colons. It also puts
# a completion in the place of what stands after the last colon, so what stands before is cut off.
_SCRIPT = r"""
%(complete_func)s() {
    local IFS=$'\n' line="${COMP_LINE:0:COMP_POINT}" completion before=""
    local word="${line##*[[:space:]]}"
    word="${word##*=}"
    [[ $COMP_WORDBREAKS == *:* ]] && before="${word%%"${word##*:}"}"
    COMPREPLY=()
    for completion in $(COMP_WORDS="$line" %(complete_var)s=bash_complete "$1" 2>/dev/null); do
        case "$completion" in
            dir,*) compopt -o dirnames ;;
            file,*) compopt -o default ;;
            *)
                completion="${completion#*,}"
                printf -v completion %%q "${completion#"$before"}"
                COMPREPLY+=("$completion")
                ;;
        esac
    done
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


@add_completion_class
class _Bash(BashComplete):
    source_template: ClassVar[str] = _SCRIPT.lstrip()

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ["COMP_WORDS"]
        words = split_arg_string(line)[1:]
        incomplete = words.pop() if words and not line[-1].isspace() else ""
        return words, incomplete


@add_completion_class
class _Fish(FishComplete):
    # An explanation may have commas.
    source_template: ClassVar[str] = FishComplete.source_template.replace('string split ","', 'string split -m 1 ","')
