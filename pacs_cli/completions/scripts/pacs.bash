# bash completion for pacs
# what macOS calls bash is 3.2 of 2006, without what this needs
((BASH_VERSINFO[0] >= 4)) || return 0
_pacs_packaged=''
_pacs_syntaxes='implicit explicit big deflated rle jpeg jpeg-extended jpeg-lossless jpeg-lossless-57 jpegls jpegls-near j2k j2k-lossy htj2k htj2k-rpcl htj2k-lossy jpegxl jpegxl-recompress jpegxl-lossy deflated-frame'
_pacs_folder=./${BASH_SOURCE[0]}
[[ ${BASH_SOURCE[0]} == /* ]] && _pacs_folder=${BASH_SOURCE[0]}
_pacs_folder=${_pacs_folder%/*}
[[ $_pacs_folder == /* ]] || _pacs_folder=$PWD/$_pacs_folder
_pacs_keywords() {
    local path= name=$1 folder
    [[ $name == *.* ]] && path=${name%.*}. name=${name##*.}
    [[ $path == *[^][A-Za-z0-9,.\(\)]* || $name == *[^A-Za-z0-9,]* ]] && return
    for folder in "$_pacs_packaged" "$_pacs_folder" "$_pacs_folder/../../pacs" \
        "${XDG_DATA_HOME:-$HOME/.local/share}/pacs"; do
        [[ -r $folder/pacs.keywords ]] && break
    done
    compopt -o nospace 2>/dev/null
    if [[ $name == [0-9]* ]]; then
        mapfile -t COMPREPLY < <(sed -n "s/^\([^ ]*\) \(${name,,}[^ ]*\) .*/$path\2  \1/p" \
            "$folder/pacs.keywords" 2>/dev/null)
        # a list shows what each tag is; what is inserted must not
        [[ ${#COMPREPLY[@]} -gt 1 && $COMP_TYPE != 37 && $COMP_TYPE != 42 ]] ||
            COMPREPLY=("${COMPREPLY[@]%%  *}")
        return
    fi
    mapfile -t COMPREPLY < <(sed -n "s/^\($name[^ ]*\) .*/$path\1/p" \
        "$folder/pacs.keywords" 2>/dev/null)
}
_pacs_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}
_pacs_value() {
    local kind=$1 words=${2//,/ } current=$3 inside=$4 before=
    # behind the = of CLASS=SYNTAX, in a word of its own or in the same
    if [[ $kind == pairs && ($inside || $current == *=*) ]]; then
        kind=words words=$_pacs_syntaxes
    elif [[ $inside ]]; then
        return
    fi
    case $kind in
        keys | words)
            if [[ $current =~ ^(.*,)?([0-9a-fA-F]{4},[0-9a-fA-F]*)$ && $kind == keys ]]; then
                before=${BASH_REMATCH[1]} current=${BASH_REMATCH[2]}
            elif [[ $current =~ ^(.*[,=])([^,=]*)$ ]]; then
                before=${BASH_REMATCH[1]} current=${BASH_REMATCH[2]}
            fi
            ;;
    esac
    case $kind in
        key | keys) _pacs_keywords "$current" ;;
        word) _pacs_words "$words" "$current" ;;
        words | pairs)
            _pacs_words "$words" "$current"
            [[ $kind == pairs ]] && COMPREPLY=("${COMPREPLY[@]/%/=}")
            compopt -o nospace 2>/dev/null
            ;;
        peers) _pacs_words "$(sed -n 's/^[[:space:]]*\[peers\.\([A-Za-z0-9_-]*\)\].*/\1/p' "${PACS_CONFIG:-${XDG_CONFIG_HOME:-$HOME/.config}/pacs/config.toml}" 2>/dev/null)" "$current" ;;
        shell) _pacs_words "bash zsh fish" "$current" ;;
        # readline's own completion knows of blanks, quotes and ~
        files) compopt -o default 2>/dev/null ;;
        folders) compopt -o dirnames 2>/dev/null ;;
    esac
    [[ $before ]] && COMPREPLY=("${COMPREPLY[@]/#/$before}")
}
_pacs_place() {
    # which positional argument is being typed, from 0
    local at=$1 word next ends=
    REPLY=0
    for (( ; at < COMP_CWORD; at++)); do
        word=${COMP_WORDS[at]} next=${COMP_WORDS[at+1]}
        if [[ $word == -- && ! $ends ]]; then
            ends=yes
        elif [[ $word == -?* && ! $ends ]]; then
            [[ " $values" == *" $word="* || $next == = ]] && ((at++))
        elif [[ $word == = ]]; then
            ((at++))
        else
            ((REPLY++))
        fi
    done
}
_pacs() {
    local current=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]}
    local options= values= first= rest= kind= commands= default= inside= prefix= begin=2
    local previous= at=$((COMP_CWORD - 1)) REPLY
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        _pacs_words "echoscu storescu findscu movescu getscu send-batch storescp users index dump diff validate anonymize reidentify transcode doctor config demo completion --help --version" "$current"
        return
    fi
    while :; do
        commands= default=
        case $command in
            'send-batch') commands='start resume status report pause cancel retry-failed' default=start ;;
            'users') commands='add remove list' default= ;;
            'index') commands='add find stats verify prune rebuild export dicomdir' default= ;;
            'config') commands='init show path peers' default= ;;
            'config peers') commands='list add remove test' default= ;;
            'completion') commands='install uninstall show' default= ;;
        esac
        [[ $commands ]] || break
        if [[ COMP_CWORD -gt begin && " $commands " == *" ${COMP_WORDS[begin]} "* ]]; then
            command="$command ${COMP_WORDS[begin]}"
            ((begin++))
        elif [[ $default && COMP_CWORD -gt begin ]]; then
            command="$command $default"
        else
            [[ $default ]] && _pacs_value peers "" "$current" ""
            COMPREPLY+=($(compgen -W "$commands --help" -- "$current"))
            return
        fi
    done
    case $command in
        'echoscu') options='--all --repeat --interval --propose -aet --aet -aec --called-aet -usr --user --user-pass-file --kerberos --saml --jwt --user-response --tls --tls-ca --tls-cert --tls-key --tls-key-pass-file --tls-min --tls-ciphers --tls-server-name --tls-anonymous -to --connect-timeout -ta --acse-timeout -td --dimse-timeout --timeout --max-pdu --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--repeat=none --interval=none --propose=none -aet=none --aet=none -aec=none --called-aet=none -usr=none --user=none --user-pass-file=files --kerberos=files --saml=files --jwt=files --tls-ca=files --tls-cert=files --tls-key=files --tls-key-pass-file=files --tls-min=word:1.2,1.3 --tls-ciphers=words:ECDHE-ECDSA-AES256-GCM-SHA384,ECDHE-RSA-AES256-GCM-SHA384,ECDHE-ECDSA-AES128-GCM-SHA256,ECDHE-RSA-AES128-GCM-SHA256,ECDHE-ECDSA-CHACHA20-POLY1305,ECDHE-RSA-CHACHA20-POLY1305 --tls-server-name=none -to=none --connect-timeout=none -ta=none --acse-timeout=none -td=none --dimse-timeout=none --timeout=none --max-pdu=none --log-file=files'
            first=peers rest=none ;;
        'storescu') options='--from-file --follow -j --jobs --priority --repeat --fail-first --dry-run --report --set --uid-suffix -aec --called-aet -aet --aet --propose --never-transcode -usr --user --user-pass-file --kerberos --saml --jwt --user-response --tls --tls-ca --tls-cert --tls-key --tls-key-pass-file --tls-min --tls-ciphers --tls-server-name --tls-anonymous --audit --audit-required --audit-ca --audit-cert --audit-key --retries --retry-wait -to --connect-timeout -ta --acse-timeout -td --dimse-timeout --timeout --max-pdu --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--from-file=files -j=none --jobs=none --priority=word:low,medium,high --repeat=none --report=files --set=key --uid-suffix=none -aec=none --called-aet=none -aet=none --aet=none --propose=pairs:ANN,AR,ASMT,AU,CFM,CR,CT,DMS,DOC,DX,ECG,EEG,EMG,EOG,EPS,ES,FID,GM,HD,IO,IOL,IVOCT,KER,KO,LEN,M3D,MG,MR,NM,OAM,OP,OPM,OPT,OPTBSV,OPTENF,OPV,OSS,PA,POS,PR,PT,REG,RESP,RF,RTDOSE,RTIMAGE,RTINTENT,RTPLAN,RTRAD,RTRECORD,RTSEGANN,RTSTRUCT,RWV,SEG,SM,SR,SRF,US,VA,XA,XC,PDF,PET,RAW,SC -usr=none --user=none --user-pass-file=files --kerberos=files --saml=files --jwt=files --tls-ca=files --tls-cert=files --tls-key=files --tls-key-pass-file=files --tls-min=word:1.2,1.3 --tls-ciphers=words:ECDHE-ECDSA-AES256-GCM-SHA384,ECDHE-RSA-AES256-GCM-SHA384,ECDHE-ECDSA-AES128-GCM-SHA256,ECDHE-RSA-AES128-GCM-SHA256,ECDHE-ECDSA-CHACHA20-POLY1305,ECDHE-RSA-CHACHA20-POLY1305 --tls-server-name=none --audit=word --audit-ca=files --audit-cert=files --audit-key=files --retries=none --retry-wait=none -to=none --connect-timeout=none -ta=none --acse-timeout=none -td=none --dimse-timeout=none --timeout=none --max-pdu=none --log-file=files'
            first=peers rest=files ;;
        'findscu') options='-W --worklist -k --key --query --level --since --before --today --drill --limit --fail-if-empty --dicom-json --save -aec --called-aet -aet --aet -P --patient-root -S --study-root -O --patient-study-only --charset --no-defaults --relational --date-time --fuzzy --time-zone -usr --user --user-pass-file --kerberos --saml --jwt --user-response --tls --tls-ca --tls-cert --tls-key --tls-key-pass-file --tls-min --tls-ciphers --tls-server-name --tls-anonymous --audit --audit-required --audit-ca --audit-cert --audit-key -to --connect-timeout -ta --acse-timeout -td --dimse-timeout --timeout --max-pdu --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='-k=key --key=key --query=files --level=word:patient,study,series,image --since=none --before=none --limit=none --save=folders -aec=none --called-aet=none -aet=none --aet=none --charset=none -usr=none --user=none --user-pass-file=files --kerberos=files --saml=files --jwt=files --tls-ca=files --tls-cert=files --tls-key=files --tls-key-pass-file=files --tls-min=word:1.2,1.3 --tls-ciphers=words:ECDHE-ECDSA-AES256-GCM-SHA384,ECDHE-RSA-AES256-GCM-SHA384,ECDHE-ECDSA-AES128-GCM-SHA256,ECDHE-RSA-AES128-GCM-SHA256,ECDHE-ECDSA-CHACHA20-POLY1305,ECDHE-RSA-CHACHA20-POLY1305 --tls-server-name=none --audit=word --audit-ca=files --audit-cert=files --audit-key=files -to=none --connect-timeout=none -ta=none --acse-timeout=none -td=none --dimse-timeout=none --timeout=none --max-pdu=none --log-file=files'
            first=peers rest=none ;;
        'movescu') options='-k --key --query --level --since --before --today --from-file --limit --fail-if-empty -aem --dest --receive --bind --allow --wait --expect-from-find --out --db -aec --called-aet -aet --aet -P --patient-root -S --study-root -O --patient-study-only --charset --batch --layout --duplicate --min-free --durability -usr --user --user-pass-file --kerberos --saml --jwt --user-response --tls --tls-ca --tls-cert --tls-key --tls-key-pass-file --tls-min --tls-ciphers --tls-server-name --tls-anonymous --audit --audit-required --audit-ca --audit-cert --audit-key -to --connect-timeout -ta --acse-timeout -td --dimse-timeout --timeout --max-pdu --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='-k=key --key=key --query=files --level=word:patient,study,series,image --since=none --before=none --from-file=files --limit=none -aem=none --dest=none --receive=none --bind=none --allow=none --wait=none --out=folders --db=files -aec=none --called-aet=none -aet=none --aet=none --charset=none --batch=none --layout=none --duplicate=word:reject,replace,version --min-free=none --durability=word:full,relaxed -usr=none --user=none --user-pass-file=files --kerberos=files --saml=files --jwt=files --tls-ca=files --tls-cert=files --tls-key=files --tls-key-pass-file=files --tls-min=word:1.2,1.3 --tls-ciphers=words:ECDHE-ECDSA-AES256-GCM-SHA384,ECDHE-RSA-AES256-GCM-SHA384,ECDHE-ECDSA-AES128-GCM-SHA256,ECDHE-RSA-AES128-GCM-SHA256,ECDHE-ECDSA-CHACHA20-POLY1305,ECDHE-RSA-CHACHA20-POLY1305 --tls-server-name=none --audit=word --audit-ca=files --audit-cert=files --audit-key=files -to=none --connect-timeout=none -ta=none --acse-timeout=none -td=none --dimse-timeout=none --timeout=none --max-pdu=none --log-file=files'
            first=peers rest=none ;;
        'getscu') options='-k --key --query --level --since --before --today --from-file --limit --fail-if-empty --out --db -aec --called-aet -aet --aet -P --patient-root -S --study-root -O --patient-study-only --charset --batch --layout --duplicate --min-free --durability -usr --user --user-pass-file --kerberos --saml --jwt --user-response --tls --tls-ca --tls-cert --tls-key --tls-key-pass-file --tls-min --tls-ciphers --tls-server-name --tls-anonymous --audit --audit-required --audit-ca --audit-cert --audit-key -to --connect-timeout -ta --acse-timeout -td --dimse-timeout --timeout --max-pdu --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='-k=key --key=key --query=files --level=word:patient,study,series,image --since=none --before=none --from-file=files --limit=none --out=folders --db=files -aec=none --called-aet=none -aet=none --aet=none --charset=none --batch=none --layout=none --duplicate=word:reject,replace,version --min-free=none --durability=word:full,relaxed -usr=none --user=none --user-pass-file=files --kerberos=files --saml=files --jwt=files --tls-ca=files --tls-cert=files --tls-key=files --tls-key-pass-file=files --tls-min=word:1.2,1.3 --tls-ciphers=words:ECDHE-ECDSA-AES256-GCM-SHA384,ECDHE-RSA-AES256-GCM-SHA384,ECDHE-ECDSA-AES128-GCM-SHA256,ECDHE-RSA-AES128-GCM-SHA256,ECDHE-ECDSA-CHACHA20-POLY1305,ECDHE-RSA-CHACHA20-POLY1305 --tls-server-name=none --audit=word --audit-ca=files --audit-cert=files --audit-key=files -to=none --connect-timeout=none -ta=none --acse-timeout=none -td=none --dimse-timeout=none --timeout=none --max-pdu=none --log-file=files'
            first=peers rest=none ;;
        'send-batch start') options='-j --jobs --state --to -k --key --query --level --since --before --today --from-file --follow --skip-existing --verify --commit -aec --called-aet -aet --aet --db --from-peer --receive --receive-bind --spool-mb --rate --max-mb --window --fixes --anonymize --key-file --save-key --transcode --commit-port --commit-bind --commit-timeout --charset --retries --retry-wait -to --connect-timeout -ta --acse-timeout -td --dimse-timeout --timeout --max-pdu --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='-j=none --jobs=none --state=files --to=peers -k=key --key=key --query=files --level=word:patient,study,series,image --since=none --before=none --from-file=files -aec=none --called-aet=none -aet=none --aet=none --db=files --from-peer=peers --receive=none --receive-bind=none --spool-mb=none --rate=none --max-mb=none --window=none --fixes=files --anonymize=none --key-file=files --save-key=files --transcode=word:implicit,explicit,big,deflated,rle,jpeg,jpeg-extended,jpeg-lossless,jpeg-lossless-57,jpegls,jpegls-near,j2k,j2k-lossy,htj2k,htj2k-rpcl,htj2k-lossy,jpegxl,jpegxl-recompress,jpegxl-lossy,deflated-frame --commit-port=none --commit-bind=none --commit-timeout=none --charset=none --retries=none --retry-wait=none -to=none --connect-timeout=none -ta=none --acse-timeout=none -td=none --dimse-timeout=none --timeout=none --max-pdu=none --log-file=files'
            first=peers rest=files ;;
        'send-batch resume') options='-j --jobs --skip-existing --verify --commit --rate --max-mb --window --commit-port --commit-bind --commit-timeout --retries --retry-wait --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='-j=none --jobs=none --rate=none --max-mb=none --window=none --commit-port=none --commit-bind=none --commit-timeout=none --retries=none --retry-wait=none --log-file=files'
            first=files rest=files ;;
        'send-batch status') options='--json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--log-file=files'
            first=files rest=files ;;
        'send-batch report') options='--only --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--only=word:announced,queued,sending,sent,committed,failed,skipped --log-file=files'
            first=files rest=files ;;
        'send-batch pause') options='--json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--log-file=files'
            first=files rest=files ;;
        'send-batch cancel') options='--json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--log-file=files'
            first=files rest=files ;;
        'send-batch retry-failed') options='--class --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--class=word:ANN,AR,ASMT,AU,CFM,CR,CT,DMS,DOC,DX,ECG,EEG,EMG,EOG,EPS,ES,FID,GM,HD,IO,IOL,IVOCT,KER,KO,LEN,M3D,MG,MR,NM,OAM,OP,OPM,OPT,OPTBSV,OPTENF,OPV,OSS,PA,POS,PR,PT,REG,RESP,RF,RTDOSE,RTIMAGE,RTINTENT,RTPLAN,RTRAD,RTRECORD,RTSEGANN,RTSTRUCT,RWV,SEG,SM,SR,SRF,US,VA,XA,XC,PDF,PET,RAW,SC --log-file=files'
            first=files rest=files ;;
        'storescp') options='--out --db --allow --accept --prefer --promiscuous --qr --fuzzy --move-to -aet --aet --bind --check-called --forward --forward-jobs --layout --duplicate --min-free --durability --on-instance --on-study --study-idle --hook-timeout --users --identity-hook --identity-timeout --require-identity --access --tls --tls-ca --tls-cert --tls-key --tls-key-pass-file --tls-min --tls-ciphers --tls-server-name --tls-anonymous --audit --audit-required --audit-ca --audit-cert --audit-key --metrics --metrics-bind --max-associations -ta --acse-timeout -td --dimse-timeout --timeout --max-pdu --workers --max-connections --max-per-address --pdu-timeout --write-timeout --fault --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--out=folders --db=files --allow=none --accept=words:ANN,AR,ASMT,AU,CFM,CR,CT,DMS,DOC,DX,ECG,EEG,EMG,EOG,EPS,ES,FID,GM,HD,IO,IOL,IVOCT,KER,KO,LEN,M3D,MG,MR,NM,OAM,OP,OPM,OPT,OPTBSV,OPTENF,OPV,OSS,PA,POS,PR,PT,REG,RESP,RF,RTDOSE,RTIMAGE,RTINTENT,RTPLAN,RTRAD,RTRECORD,RTSEGANN,RTSTRUCT,RWV,SEG,SM,SR,SRF,US,VA,XA,XC,PDF,PET,RAW,SC --prefer=words:implicit,explicit,big,deflated,rle,jpeg,jpeg-extended,jpeg-lossless,jpeg-lossless-57,jpegls,jpegls-near,j2k,j2k-lossy,htj2k,htj2k-rpcl,htj2k-lossy,jpegxl,jpegxl-recompress,jpegxl-lossy,deflated-frame --move-to=none -aet=none --aet=none --bind=none --forward=peers --forward-jobs=none --layout=none --duplicate=word:reject,replace,version --min-free=none --durability=word:full,relaxed --on-instance=none --on-study=none --study-idle=none --hook-timeout=none --users=files --identity-hook=none --identity-timeout=none --access=files --tls-ca=files --tls-cert=files --tls-key=files --tls-key-pass-file=files --tls-min=word:1.2,1.3 --tls-ciphers=words:ECDHE-ECDSA-AES256-GCM-SHA384,ECDHE-RSA-AES256-GCM-SHA384,ECDHE-ECDSA-AES128-GCM-SHA256,ECDHE-RSA-AES128-GCM-SHA256,ECDHE-ECDSA-CHACHA20-POLY1305,ECDHE-RSA-CHACHA20-POLY1305 --tls-server-name=none --audit=word --audit-ca=files --audit-cert=files --audit-key=files --metrics=none --metrics-bind=none --max-associations=none -ta=none --acse-timeout=none -td=none --dimse-timeout=none --timeout=none --max-pdu=none --workers=none --max-connections=none --max-per-address=none --pdu-timeout=none --write-timeout=none --fault=none --log-file=files'
            first=none rest=none ;;
        'users add') options='--file --passcode-file --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--file=files --passcode-file=files --log-file=files'
            first=none rest=none ;;
        'users remove') options='--file --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--file=files --log-file=files'
            first=none rest=none ;;
        'users list') options='--file --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--file=files --log-file=files'
            first=none rest=none ;;
        'index add') options='--db -j --jobs --hash --from-file --follow --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--db=files -j=none --jobs=none --from-file=files --log-file=files'
            first=files rest=files ;;
        'index find') options='-W --worklist -k --key --query --level --since --before --today --date-time --fuzzy --db --drill --limit --fail-if-empty --dicom-json --save -P --patient-root -S --study-root -O --patient-study-only --charset --no-defaults --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='-k=key --key=key --query=files --level=word:patient,study,series,image --since=none --before=none --db=files --limit=none --save=folders --charset=none --log-file=files'
            first=files rest=files ;;
        'index stats') options='--db --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--db=files --log-file=files'
            first=files rest=files ;;
        'index verify') options='--db --hash --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--db=files --log-file=files'
            first=files rest=files ;;
        'index prune') options='--db --dry-run --missing-folders --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--db=files --log-file=files'
            first=files rest=files ;;
        'index rebuild') options='--db -j --jobs --hash --from --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--db=files -j=none --jobs=none --from=folders --log-file=files'
            first=files rest=files ;;
        'index export') options='--db --level -k --key --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--db=files --level=word:patient,study,series,image -k=key --key=key --log-file=files'
            first=files rest=files ;;
        'index dicomdir') options='--write --copy-to --id --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--copy-to=folders --id=none --log-file=files'
            first=files rest=files ;;
        'dump') options='--from-file --follow -k --keys --only --depth --max-length --meta --no-meta --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--from-file=files -k=keys --keys=keys --only=keys --depth=none --max-length=none --log-file=files'
            first=files rest=files ;;
        'diff') options='--follow --ignore --meta --pixels --tolerance --max-length --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--ignore=keys --tolerance=none --max-length=none --log-file=files'
            first=files rest=files ;;
        'validate') options='--from-file --follow -j --jobs --rule --ignore --fail-on --list-rules --junit --sarif --baseline --write-baseline --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--from-file=files -j=none --jobs=none --rule=word:part10-not-dicom,part10-unreadable,part10-prefix,part10-meta-encoding,part10-group-length,part10-meta-missing,part10-meta-version,part10-meta-mismatch,part10-transfer-syntax,data-truncated,data-malformed,data-limit,data-encoding,element-order,element-duplicate,element-odd-length,element-vr,element-vr-unknown,element-vr-un,element-vr-missing,element-vm,element-unknown,element-group,element-group-length,private-creator-missing,private-creator-empty,private-group,sequence-vr,value-length,value-size,value-characters,value-number,value-date,value-time,value-datetime,value-age,value-uid,value-padding,value-name,charset-unknown,charset-undeclared,charset-undecodable,iod-no-sop-class,iod-unknown-sop-class,iod-module-missing,iod-type-1-missing,iod-type-1-empty,iod-type-2-missing,iod-type-1c-missing,iod-type-2c-missing,iod-enumerated-value,iod-optional-module,image-bits,image-samples,image-size,image-palette,image-orientation,image-spacing,image-window,image-photometric,pixels-length,pixels-vr,pixels-encapsulation,pixels-fragments,pixels-offset-table,pixels-extended-offset-table,pixels-codestream,pixels-codestream-end,pixels-codestream-size,frames-count,frames-macro-missing,frames-macro-twice,frames-dimension,directory-module,directory-record,directory-record-type,directory-record-key,study-patient,series-study,series-modality,series-frame-of-reference,instance-duplicate,reference-missing --ignore=word:part10-not-dicom,part10-unreadable,part10-prefix,part10-meta-encoding,part10-group-length,part10-meta-missing,part10-meta-version,part10-meta-mismatch,part10-transfer-syntax,data-truncated,data-malformed,data-limit,data-encoding,element-order,element-duplicate,element-odd-length,element-vr,element-vr-unknown,element-vr-un,element-vr-missing,element-vm,element-unknown,element-group,element-group-length,private-creator-missing,private-creator-empty,private-group,sequence-vr,value-length,value-size,value-characters,value-number,value-date,value-time,value-datetime,value-age,value-uid,value-padding,value-name,charset-unknown,charset-undeclared,charset-undecodable,iod-no-sop-class,iod-unknown-sop-class,iod-module-missing,iod-type-1-missing,iod-type-1-empty,iod-type-2-missing,iod-type-1c-missing,iod-type-2c-missing,iod-enumerated-value,iod-optional-module,image-bits,image-samples,image-size,image-palette,image-orientation,image-spacing,image-window,image-photometric,pixels-length,pixels-vr,pixels-encapsulation,pixels-fragments,pixels-offset-table,pixels-extended-offset-table,pixels-codestream,pixels-codestream-end,pixels-codestream-size,frames-count,frames-macro-missing,frames-macro-twice,frames-dimension,directory-module,directory-record,directory-record-type,directory-record-key,study-patient,series-study,series-modality,series-frame-of-reference,instance-duplicate,reference-missing --fail-on=word:error,warning,never --junit=files --sarif=files --baseline=files --log-file=files'
            first=files rest=files ;;
        'anonymize') options='--from-file --follow --profile --retain --clean --rule --burned-in --pixel-rules --documents --explain --format --key-file --save-key --patient-map --mapping-out --encrypt-to --date-shift --names -j --jobs --quarantine --report --dry-run --diff --no-verify --in-place --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--from-file=files --profile=word:basic,tcia,safe-harbor --retain=words:uids,device,institution,patient,full-dates,modified-dates,safe-private --clean=words:descriptors,structured,graphics,pixels --rule=none --burned-in=word:warn,quarantine,clean,ignore --pixel-rules=files --documents=word:quarantine,replace --format=word:text,markdown --key-file=files --save-key=files --patient-map=files --mapping-out=files --encrypt-to=files --date-shift=word:auto --names=word:uid,pseudonym -j=none --jobs=none --quarantine=folders --report=files --log-file=files'
            first=files rest=files ;;
        'reidentify') options='--from-file --follow --private-key --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--from-file=files --private-key=files --log-file=files'
            first=files rest=files ;;
        'transcode') options='--from-file --follow --quality --near --ratio --verify --no-verify --uid --render-to-8bit --max-pixels --to --list -j --jobs --if-syntax --overwrite --skip-same --in-place --dry-run --report --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--from-file=files --quality=none --near=none --ratio=none --uid=word:auto,new,keep --max-pixels=none --to=word:implicit,explicit,big,deflated,rle,jpeg,jpeg-extended,jpeg-lossless,jpeg-lossless-57,jpegls,jpegls-near,j2k,j2k-lossy,htj2k,htj2k-rpcl,htj2k-lossy,jpegxl,jpegxl-recompress,jpegxl-lossy,deflated-frame -j=none --jobs=none --if-syntax=words:implicit,explicit,big,deflated,rle,jpeg,jpeg-extended,jpeg-lossless,jpeg-lossless-57,jpegls,jpegls-near,j2k,j2k-lossy,htj2k,htj2k-rpcl,htj2k-lossy,jpegxl,jpegxl-recompress,jpegxl-lossy,deflated-frame --report=files --log-file=files'
            first=files rest=files ;;
        'doctor') options='--no-probe -aec --called-aet -aet --aet -usr --user --user-pass-file --kerberos --saml --jwt --user-response --tls --tls-ca --tls-cert --tls-key --tls-key-pass-file --tls-min --tls-ciphers --tls-server-name --tls-anonymous -to --connect-timeout -ta --acse-timeout -td --dimse-timeout --timeout --max-pdu --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='-aec=none --called-aet=none -aet=none --aet=none -usr=none --user=none --user-pass-file=files --kerberos=files --saml=files --jwt=files --tls-ca=files --tls-cert=files --tls-key=files --tls-key-pass-file=files --tls-min=word:1.2,1.3 --tls-ciphers=words:ECDHE-ECDSA-AES256-GCM-SHA384,ECDHE-RSA-AES256-GCM-SHA384,ECDHE-ECDSA-AES128-GCM-SHA256,ECDHE-RSA-AES128-GCM-SHA256,ECDHE-ECDSA-CHACHA20-POLY1305,ECDHE-RSA-CHACHA20-POLY1305 --tls-server-name=none -to=none --connect-timeout=none -ta=none --acse-timeout=none -td=none --dimse-timeout=none --timeout=none --max-pdu=none --log-file=files'
            first=peers rest=none ;;
        'config init') options='--json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--log-file=files'
            first=none rest=none ;;
        'config show') options='-aet --aet -aec --called-aet -usr --user --user-pass-file --kerberos --saml --jwt --user-response --tls --tls-ca --tls-cert --tls-key --tls-key-pass-file --tls-min --tls-ciphers --tls-server-name --tls-anonymous -to --connect-timeout -ta --acse-timeout -td --dimse-timeout --timeout --max-pdu --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='-aet=none --aet=none -aec=none --called-aet=none -usr=none --user=none --user-pass-file=files --kerberos=files --saml=files --jwt=files --tls-ca=files --tls-cert=files --tls-key=files --tls-key-pass-file=files --tls-min=word:1.2,1.3 --tls-ciphers=words:ECDHE-ECDSA-AES256-GCM-SHA384,ECDHE-RSA-AES256-GCM-SHA384,ECDHE-ECDSA-AES128-GCM-SHA256,ECDHE-RSA-AES128-GCM-SHA256,ECDHE-ECDSA-CHACHA20-POLY1305,ECDHE-RSA-CHACHA20-POLY1305 --tls-server-name=none -to=none --connect-timeout=none -ta=none --acse-timeout=none -td=none --dimse-timeout=none --timeout=none --max-pdu=none --log-file=files'
            first=peers rest=none ;;
        'config path') options='--json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--log-file=files'
            first=none rest=none ;;
        'config peers list') options='--json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--log-file=files'
            first=none rest=none ;;
        'config peers add') options='--replace -aet --aet -aec --called-aet -usr --user --user-pass-file --kerberos --saml --jwt --user-response --tls --tls-ca --tls-cert --tls-key --tls-key-pass-file --tls-min --tls-ciphers --tls-server-name --tls-anonymous -to --connect-timeout -ta --acse-timeout -td --dimse-timeout --timeout --max-pdu --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='-aet=none --aet=none -aec=none --called-aet=none -usr=none --user=none --user-pass-file=files --kerberos=files --saml=files --jwt=files --tls-ca=files --tls-cert=files --tls-key=files --tls-key-pass-file=files --tls-min=word:1.2,1.3 --tls-ciphers=words:ECDHE-ECDSA-AES256-GCM-SHA384,ECDHE-RSA-AES256-GCM-SHA384,ECDHE-ECDSA-AES128-GCM-SHA256,ECDHE-RSA-AES128-GCM-SHA256,ECDHE-ECDSA-CHACHA20-POLY1305,ECDHE-RSA-CHACHA20-POLY1305 --tls-server-name=none -to=none --connect-timeout=none -ta=none --acse-timeout=none -td=none --dimse-timeout=none --timeout=none --max-pdu=none --log-file=files'
            first=none rest=none ;;
        'config peers remove') options='--json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--log-file=files'
            first=peers rest=none ;;
        'config peers test') options='-aet --aet --tls --tls-ca --tls-cert --tls-key --tls-key-pass-file --tls-min --tls-ciphers --tls-server-name --tls-anonymous -to --connect-timeout -ta --acse-timeout -td --dimse-timeout --timeout --max-pdu --json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='-aet=none --aet=none --tls-ca=files --tls-cert=files --tls-key=files --tls-key-pass-file=files --tls-min=word:1.2,1.3 --tls-ciphers=words:ECDHE-ECDSA-AES256-GCM-SHA384,ECDHE-RSA-AES256-GCM-SHA384,ECDHE-ECDSA-AES128-GCM-SHA256,ECDHE-RSA-AES128-GCM-SHA256,ECDHE-ECDSA-CHACHA20-POLY1305,ECDHE-RSA-CHACHA20-POLY1305 --tls-server-name=none -to=none --connect-timeout=none -ta=none --acse-timeout=none -td=none --dimse-timeout=none --timeout=none --max-pdu=none --log-file=files'
            first=peers rest=none ;;
        'demo') options='--json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--log-file=files'
            first=files rest=files ;;
        'completion install') options='--json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--log-file=files'
            first=shell rest=none ;;
        'completion uninstall') options='--json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--log-file=files'
            first=shell rest=none ;;
        'completion show') options='--json --csv -q --quiet -v --verbose -d --debug --log-file -h --help --help-all'
            values='--log-file=files'
            first=shell rest=none ;;
        *) return ;;
    esac
    # bash makes words of --key=KEYWORD and of KEYWORD=VALUE at each =
    if [[ $current == = ]]; then
        current= at=$COMP_CWORD
    elif [[ $current == --*=* ]]; then
        previous=${current%%=*} prefix=${current%%=*}= current=${current#*=}
    fi
    [[ $prefix ]] || previous=${COMP_WORDS[at]}
    while [[ $previous == = ]]; do
        previous=${COMP_WORDS[at-1]}
        [[ $previous == -* ]] && break
        inside=yes at=$((at - 2))
        previous=${COMP_WORDS[at]}
    done
    if [[ $previous == -* && " $values" == *" $previous="* ]]; then
        kind=" $values" kind=${kind#*" $previous="}
        kind=${kind%% *}
        _pacs_value "${kind%%:*}" "${kind#*:}" "$current" "$inside"
        [[ $prefix ]] && COMPREPLY=("${COMPREPLY[@]/#/$prefix}")
    elif [[ $inside || $prefix ]]; then
        return
    elif [[ $current == -* ]]; then
        _pacs_words "$options" "$current"
    else
        _pacs_place $begin
        ((REPLY == 0)) && _pacs_value "$first" "" "$current" "" ||
            _pacs_value "$rest" "" "$current" ""
    fi
}
complete -F _pacs pacs
