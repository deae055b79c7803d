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
        'echoscu') options='--repeat -aec --called-aet -aet --aet --tls --tls-ca --tls-cert --tls-key --tls-key-pass-file --tls-min --tls-ciphers --tls-server-name --tls-anonymous -to --connect-timeout -ta --acse-timeout -td --dimse-timeout --timeout --max-pdu --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices='--tls-min=1.2,1.3'; keys=''; peer=yes ;;
        'storescu') options='--from-file --follow -j --jobs --priority --repeat --fail-first --dry-run --report --set --uid-suffix -aec --called-aet -aet --aet --propose --never-transcode --tls --tls-ca --tls-cert --tls-key --tls-key-pass-file --tls-min --tls-ciphers --tls-server-name --tls-anonymous --retries --retry-wait -to --connect-timeout -ta --acse-timeout -td --dimse-timeout --timeout --max-pdu --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices='--priority=low,medium,high --tls-min=1.2,1.3'; keys='--set'; peer=yes ;;
        'findscu') options='-W --worklist -k --key --query --level --since --before --today --drill --limit --fail-if-empty --dicom-json --save -aec --called-aet -aet --aet -P --patient-root -S --study-root -O --patient-study-only --charset --no-defaults --relational --date-time --fuzzy --time-zone --tls --tls-ca --tls-cert --tls-key --tls-key-pass-file --tls-min --tls-ciphers --tls-server-name --tls-anonymous -to --connect-timeout -ta --acse-timeout -td --dimse-timeout --timeout --max-pdu --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices='--level=patient,study,series,image --tls-min=1.2,1.3'; keys='-k --key'; peer=yes ;;
        'movescu') options='-k --key --query --level --since --before --today --from-file --limit --fail-if-empty -aem --dest --receive --bind --allow --wait --expect-from-find --out --db -aec --called-aet -aet --aet -P --patient-root -S --study-root -O --patient-study-only --charset --batch --layout --duplicate --min-free --durability --tls --tls-ca --tls-cert --tls-key --tls-key-pass-file --tls-min --tls-ciphers --tls-server-name --tls-anonymous -to --connect-timeout -ta --acse-timeout -td --dimse-timeout --timeout --max-pdu --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices='--level=patient,study,series,image --duplicate=reject,replace,version --durability=full,relaxed --tls-min=1.2,1.3'; keys='-k --key'; peer=yes ;;
        'getscu') options='-k --key --query --level --since --before --today --from-file --limit --fail-if-empty --out --db -aec --called-aet -aet --aet -P --patient-root -S --study-root -O --patient-study-only --charset --batch --layout --duplicate --min-free --durability --tls --tls-ca --tls-cert --tls-key --tls-key-pass-file --tls-min --tls-ciphers --tls-server-name --tls-anonymous -to --connect-timeout -ta --acse-timeout -td --dimse-timeout --timeout --max-pdu --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices='--level=patient,study,series,image --duplicate=reject,replace,version --durability=full,relaxed --tls-min=1.2,1.3'; keys='-k --key'; peer=yes ;;
        'send-batch') options='-h --help'; choices=''; keys=''; peer=no ;;
        'send-batch start') options='--state --to --from-file --follow -j --jobs --rate --max-mb --window --skip-existing --verify --commit --commit-port --commit-bind --commit-timeout -aec --called-aet -aet --aet --retries --retry-wait -to --connect-timeout -ta --acse-timeout -td --dimse-timeout --timeout --max-pdu --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices=''; keys=''; peer=yes ;;
        'send-batch resume') options='-j --jobs --rate --max-mb --window --skip-existing --verify --commit --commit-port --commit-bind --commit-timeout --retries --retry-wait --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices=''; keys=''; peer=no ;;
        'send-batch status') options='--json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices=''; keys=''; peer=no ;;
        'send-batch report') options='--only --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices=''; keys=''; peer=no ;;
        'send-batch pause') options='--json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices=''; keys=''; peer=no ;;
        'send-batch cancel') options='--json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices=''; keys=''; peer=no ;;
        'send-batch retry-failed') options='--class --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices=''; keys=''; peer=no ;;
        'storescp') options='--out --db --allow --accept --prefer --promiscuous --qr --fuzzy --move-to -aet --aet --bind --check-called --forward --forward-jobs --layout --duplicate --min-free --durability --on-instance --on-study --study-idle --hook-timeout --tls --tls-ca --tls-cert --tls-key --tls-key-pass-file --tls-min --tls-ciphers --tls-server-name --tls-anonymous --max-associations -ta --acse-timeout -td --dimse-timeout --timeout --max-pdu --workers --max-connections --max-per-address --pdu-timeout --write-timeout --fault --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices='--duplicate=reject,replace,version --durability=full,relaxed --tls-min=1.2,1.3'; keys=''; peer=no ;;
        'index') options='-h --help'; choices=''; keys=''; peer=no ;;
        'index add') options='--db -j --jobs --hash --from-file --follow --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices=''; keys=''; peer=no ;;
        'index find') options='-W --worklist -k --key --query --level --since --before --today --date-time --fuzzy --db --drill --limit --fail-if-empty --dicom-json --save -P --patient-root -S --study-root -O --patient-study-only --charset --no-defaults --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices='--level=patient,study,series,image'; keys='-k --key'; peer=no ;;
        'index stats') options='--db --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices=''; keys=''; peer=no ;;
        'index verify') options='--db --hash --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices=''; keys=''; peer=no ;;
        'index prune') options='--db --dry-run --missing-folders --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices=''; keys=''; peer=no ;;
        'index rebuild') options='--db -j --jobs --hash --from --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices=''; keys=''; peer=no ;;
        'index export') options='--db --level -k --key --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices='--level=patient,study,series,image'; keys='-k --key'; peer=no ;;
        'index dicomdir') options='--write --copy-to --id --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices=''; keys=''; peer=no ;;
        'dump') options='--from-file --follow -k --keys --only --depth --max-length --meta --no-meta --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices=''; keys='-k --keys --only'; peer=no ;;
        'diff') options='--follow --ignore --meta --pixels --tolerance --max-length --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices=''; keys='--ignore'; peer=no ;;
        'validate') options='--from-file --follow -j --jobs --rule --ignore --fail-on --list-rules --junit --sarif --baseline --write-baseline --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices='--fail-on=error,warning,never'; keys=''; peer=no ;;
        'anonymize') options='--from-file --follow --profile --retain --clean --rule --burned-in --pixel-rules --documents --explain --format --key-file --save-key --patient-map --mapping-out --encrypt-to --date-shift --names -j --jobs --quarantine --report --dry-run --diff --no-verify --in-place --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices='--format=text,markdown --date-shift=auto,DAYS,MIN:MAX --names=uid,pseudonym'; keys=''; peer=no ;;
        'reidentify') options='--from-file --follow --private-key --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices=''; keys='--private-key'; peer=no ;;
        'transcode') options='--from-file --follow --quality --near --ratio --verify --no-verify --uid --render-to-8bit --max-pixels --to --list -j --jobs --if-syntax --overwrite --skip-same --in-place --dry-run --report --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices='--uid=auto,new,keep'; keys=''; peer=no ;;
        'demo') options='--json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'; choices=''; keys=''; peer=no ;;
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
