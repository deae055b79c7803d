# bash completion for pacs
_pacs_folder=./${BASH_SOURCE[0]}
[[ ${BASH_SOURCE[0]} == /* ]] && _pacs_folder=${BASH_SOURCE[0]}
_pacs_folder=${_pacs_folder%/*}
[[ $_pacs_folder == /* ]] || _pacs_folder=$PWD/$_pacs_folder
_pacs_keywords() {
    local path= name=$1
    [[ $name == *.* ]] && path=${name%.*}. name=${name##*.}
    [[ $path == *[^][A-Za-z0-9,.\(\)]* || $name == *[^A-Za-z0-9]* ]] && return
    mapfile -t COMPREPLY < <(sed -n "s/^\($name[^ ]*\) .*/$path\1/p"         "$_pacs_folder/pacs.keywords" 2>/dev/null)
    compopt -o nospace 2>/dev/null
}
_pacs() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
    local options= choices= keys= peer= choice commands= command=${COMP_WORDS[1]} first=2
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "echoscu storescu findscu movescu getscu send-batch storescp index dump diff validate anonymize reidentify transcode demo --help --version" -- "$current")
        return
    fi
    case $command in
        send-batch) commands='start resume status report pause cancel retry-failed' ;;
        index) commands='add find stats verify prune rebuild export dicomdir' ;;
    esac
    if [[ $commands ]]; then
        if ((COMP_CWORD == 2)); then
            mapfile -t COMPREPLY < <(compgen -W "$commands --help" -- "$current")
            return
        fi
        command="$command ${COMP_WORDS[2]}" first=3
    fi
    case $command in
        'echoscu') options='-aec --called-aet -aet --aet -to --connect-timeout -ta --acse-timeout -td --dimse-timeout --timeout --max-pdu --tls --tls-ca --tls-cert --tls-key --tls-key-pass-file --tls-min --tls-ciphers --tls-server-name --tls-anonymous --json --csv -q --quiet -v --verbose -d --debug --log-file --repeat -h --help'; choices='--tls-min=1.2,1.3'; keys=''; peer=yes ;;
        'storescu') options='-aec --called-aet --from-file --follow --jobs --retries --retry-wait --priority --propose --repeat --fail-first --never-transcode --dry-run --report --set --uid-suffix -aet --aet -to --connect-timeout -ta --acse-timeout -td --dimse-timeout --timeout --max-pdu --tls --tls-ca --tls-cert --tls-key --tls-key-pass-file --tls-min --tls-ciphers --tls-server-name --tls-anonymous --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help'; choices='--priority=low,medium,high --tls-min=1.2,1.3'; keys='--set'; peer=yes ;;
        'findscu') options='-aec --called-aet -P --patient-root -S --study-root -O --patient-study-only -W --worklist -k --key --query --level --since --before --today --charset --no-defaults --drill --limit --fail-if-empty --dicom-json --save --relational --date-time --fuzzy --time-zone -aet --aet -to --connect-timeout -ta --acse-timeout -td --dimse-timeout --timeout --max-pdu --tls --tls-ca --tls-cert --tls-key --tls-key-pass-file --tls-min --tls-ciphers --tls-server-name --tls-anonymous --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help'; choices='--level=patient,study,series,image --tls-min=1.2,1.3'; keys='-k --key'; peer=yes ;;
        'movescu') options='-aec --called-aet -P --patient-root -S --study-root -O --patient-study-only -k --key --query --level --since --before --today --charset --from-file --batch --limit --fail-if-empty -aem --dest --receive --bind --allow --wait --expect-from-find --out --db --layout --duplicate --min-free --durability -aet --aet -to --connect-timeout -ta --acse-timeout -td --dimse-timeout --timeout --max-pdu --tls --tls-ca --tls-cert --tls-key --tls-key-pass-file --tls-min --tls-ciphers --tls-server-name --tls-anonymous --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help'; choices='--level=patient,study,series,image --duplicate=reject,replace,version --durability=full,relaxed --tls-min=1.2,1.3'; keys='-k --key'; peer=yes ;;
        'getscu') options='-aec --called-aet -P --patient-root -S --study-root -O --patient-study-only -k --key --query --level --since --before --today --charset --from-file --batch --limit --fail-if-empty --out --db --layout --duplicate --min-free --durability -aet --aet -to --connect-timeout -ta --acse-timeout -td --dimse-timeout --timeout --max-pdu --tls --tls-ca --tls-cert --tls-key --tls-key-pass-file --tls-min --tls-ciphers --tls-server-name --tls-anonymous --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help'; choices='--level=patient,study,series,image --duplicate=reject,replace,version --durability=full,relaxed --tls-min=1.2,1.3'; keys='-k --key'; peer=yes ;;
        'send-batch') options='-h --help'; choices=''; keys=''; peer=no ;;
        'send-batch start') options='-aec --called-aet --from-file --follow --jobs --retries --retry-wait --rate --max-mb --window --skip-existing --verify --commit --commit-port --commit-bind --commit-timeout -aet --aet -to --connect-timeout -ta --acse-timeout -td --dimse-timeout --timeout --max-pdu --json --csv -q --quiet -v --verbose -d --debug --log-file --state --to -h --help'; choices=''; keys=''; peer=yes ;;
        'send-batch resume') options='--jobs --retries --retry-wait --rate --max-mb --window --skip-existing --verify --commit --commit-port --commit-bind --commit-timeout --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help'; choices=''; keys=''; peer=no ;;
        'send-batch status') options='--json --csv -q --quiet -v --verbose -d --debug --log-file -h --help'; choices=''; keys=''; peer=no ;;
        'send-batch report') options='--json --csv -q --quiet -v --verbose -d --debug --log-file --only -h --help'; choices=''; keys=''; peer=no ;;
        'send-batch pause') options='--json --csv -q --quiet -v --verbose -d --debug --log-file -h --help'; choices=''; keys=''; peer=no ;;
        'send-batch cancel') options='--json --csv -q --quiet -v --verbose -d --debug --log-file -h --help'; choices=''; keys=''; peer=no ;;
        'send-batch retry-failed') options='--json --csv -q --quiet -v --verbose -d --debug --log-file --class -h --help'; choices=''; keys=''; peer=no ;;
        'storescp') options='-aet --aet --bind --check-called --max-associations -ta --acse-timeout -td --dimse-timeout --timeout --max-pdu --tls --tls-ca --tls-cert --tls-key --tls-key-pass-file --tls-min --tls-ciphers --tls-server-name --tls-anonymous --out --db --layout --duplicate --min-free --durability --allow --accept --prefer --promiscuous --workers --max-connections --max-per-address --pdu-timeout --write-timeout --fault --qr --fuzzy --move-to --forward --forward-jobs --on-instance --on-study --study-idle --hook-timeout --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help'; choices='--tls-min=1.2,1.3 --duplicate=reject,replace,version --durability=full,relaxed'; keys=''; peer=no ;;
        'index') options='-h --help'; choices=''; keys=''; peer=no ;;
        'index add') options='--db --from-file --follow --jobs --hash --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help'; choices=''; keys=''; peer=no ;;
        'index find') options='--db -P --patient-root -S --study-root -O --patient-study-only -W --worklist -k --key --query --level --since --before --today --charset --no-defaults --drill --limit --fail-if-empty --dicom-json --save --json --csv -q --quiet -v --verbose -d --debug --log-file --date-time --fuzzy -h --help'; choices='--level=patient,study,series,image'; keys='-k --key'; peer=no ;;
        'index stats') options='--db --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help'; choices=''; keys=''; peer=no ;;
        'index verify') options='--db --json --csv -q --quiet -v --verbose -d --debug --log-file --hash -h --help'; choices=''; keys=''; peer=no ;;
        'index prune') options='--db --json --csv -q --quiet -v --verbose -d --debug --log-file --dry-run --missing-folders -h --help'; choices=''; keys=''; peer=no ;;
        'index rebuild') options='--db --jobs --hash --json --csv -q --quiet -v --verbose -d --debug --log-file --from -h --help'; choices=''; keys=''; peer=no ;;
        'index export') options='--db --json --csv -q --quiet -v --verbose -d --debug --log-file --level -k --key -h --help'; choices='--level=patient,study,series,image'; keys='-k --key'; peer=no ;;
        'index dicomdir') options='--json --csv -q --quiet -v --verbose -d --debug --log-file --write --copy-to --id -h --help'; choices=''; keys=''; peer=no ;;
        'dump') options='--from-file --follow -k --keys --only --depth --max-length --meta --no-meta --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help'; choices=''; keys='-k --keys --only'; peer=no ;;
        'diff') options='--ignore --meta --pixels --tolerance --follow --max-length --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help'; choices=''; keys='--ignore'; peer=no ;;
        'validate') options='--from-file --follow --rule --ignore --fail-on --list-rules --junit --sarif --baseline --write-baseline --json --csv -q --quiet -v --verbose -d --debug --log-file --jobs -h --help'; choices='--fail-on=error,warning,never'; keys=''; peer=no ;;
        'anonymize') options='--profile --retain --clean --rule --burned-in --pixel-rules --documents --key-file --save-key --patient-map --mapping-out --encrypt-to --date-shift --from-file --follow --json --csv -q --quiet -v --verbose -d --debug --log-file --names -j --jobs --quarantine --report --dry-run --diff --no-verify --in-place --explain --format -h --help'; choices='--date-shift=auto,DAYS,MIN:MAX --names=uid,pseudonym --format=text,markdown'; keys=''; peer=no ;;
        'reidentify') options='--from-file --follow --json --csv -q --quiet -v --verbose -d --debug --log-file --private-key -h --help'; choices=''; keys='--private-key'; peer=no ;;
        'transcode') options='--from-file --follow --quality --near --ratio --verify --no-verify --uid --render-to-8bit --max-pixels -j --jobs --if-syntax --overwrite --skip-same --in-place --dry-run --report --json --csv -q --quiet -v --verbose -d --debug --log-file --to --list -h --help'; choices='--uid=auto,new,keep'; keys=''; peer=no ;;
        'demo') options='--json --csv -q --quiet -v --verbose -d --debug --log-file -h --help'; choices=''; keys=''; peer=no ;;
        *) return ;;
    esac
    # bash makes a word of the = in --key=KEYWORD, and of that in KEYWORD=VALUE
    if [[ $previous == = ]]; then
        previous=${COMP_WORDS[COMP_CWORD-2]}
        [[ $previous == --* ]] || return
    elif [[ $current == = ]]; then
        [[ $previous == --* ]] || return
        current=
    fi
    if [[ " $keys " == *" $previous "* ]]; then
        _pacs_keywords "$current"
        return
    fi
    for choice in $choices; do
        if [[ $previous == "${choice%%=*}" ]]; then
            choice=${choice#*=}
            mapfile -t COMPREPLY < <(compgen -W "${choice//,/ }" -- "$current")
            return
        fi
    done
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
    elif [[ $peer == yes ]] && ((COMP_CWORD == first)); then
        mapfile -t COMPREPLY < <(compgen -W "$(sed -n 's/^[[:space:]]*\[peers\.\([A-Za-z0-9_-]*\)\].*/\1/p' "${PACS_CONFIG:-${XDG_CONFIG_HOME:-$HOME/.config}/pacs/config.toml}" 2>/dev/null)" -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        compopt -o filenames 2>/dev/null
    fi
}
complete -F _pacs pacs
