# shellcheck shell=bash
# Completion of popgate for bash: installed as popgate below share/bash-completion/completions.
# Verbs, what follows them and options come from --help, so that this needs no change with them.

# The words of the command line that are no options, nor values of such as take one, without the last.
_popgate_words() {
	local i
	words=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-c | --config | -f | --file | -l | --listener | -s | --server-name | -a | --address | -x | --close | \
			-u | --users | -S | --server | -t | --tls | -C | --ca-file | -J | --jobs | -O | --output)
			# -s takes a value in route and probe alone.
			[[ ${COMP_WORDS[i]} == -s && ${words[0]} == users ]] || ((i++))
			;;
		-*) ;;
		*) words+=("${COMP_WORDS[i]}") ;;
		esac
	done
}

# The value of one of two options that stands on the command line, else the third argument.
_popgate_value() {
	local i
	for ((i = 1; i < COMP_CWORD - 1; i++)); do
		if [[ ${COMP_WORDS[i]} == "$1" || ${COMP_WORDS[i]} == "$2" ]]; then
			printf '%s\n' "${COMP_WORDS[i + 1]/#\~/$HOME}"
			return
		fi
	done
	printf '%s\n' "$3"
}

_popgate_config() {
	local file=/etc/popgate/popgate.yaml
	[[ -e popgate.yaml ]] && file=popgate.yaml
	_popgate_value -c --config "$file"
}

# The names in the block "listeners" of the configuration.
_popgate_listeners() {
	awk '
		/^[ \t]*#/ { next }
		/^[^ \t#-]/ { inside = /^listeners:/ }
		inside && match($0, /[-{ \t]name:[ \t]*[^ \t,}]+/) {
			name = substr($0, RSTART, RLENGTH)
			sub(/.*name:[ \t]*/, "", name)
			gsub(/["'\'']/, "", name)
			print name
		}' "$(_popgate_config)" 2>/dev/null
}

_popgate_logins() {
	sed -n '/^[^#]/s/:.*//p' "$(_popgate_value -f --file /dev/null)" 2>/dev/null
}

_popgate() {
	local program=${COMP_WORDS[0]/#\~/$HOME} current=${COMP_WORDS[COMP_CWORD]}
	local before=${COMP_WORDS[COMP_CWORD - 1]} candidates='' help words
	COMPREPLY=()
	_popgate_words
	if [[ ${#words[@]} -eq 0 && $current != -* ]]; then
		candidates=$("$program" --help 2>/dev/null | sed -n 's/^  \([a-z]\{1,\}\)  .*/\1/p')
		mapfile -t COMPREPLY < <(compgen -W "$candidates" -- "$current")
		return
	fi
	case $before in
	-c | --config | -f | --file | -u | --users | -C | --ca-file | -O | --output)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	-t | --tls) candidates='implicit starttls none' ;;
	-l | --listener) candidates=$(_popgate_listeners) ;;
	-x | --close)
		candidates=$("$program" who -c "$(_popgate_config)" 2>/dev/null |
			sed -n '1d;s/^\([0-9a-f]\{1,\}-[0-9a-f]\{1,\}\) .*/\1/p')
		;;
	*)
		help=$("$program" "${words[@]}" --help 2>/dev/null) || help=$("$program" --help 2>/dev/null)
		if [[ $current == -* ]]; then
			candidates=$(sed -n '/^ \{1,\}-[a-zA-Z], --/p' <<<"$help" |
				grep -oE -- '-[a-zA-Z], --[a-z-]+' | tr -d ',')
			[[ ${#words[@]} -eq 0 ]] && candidates='--help --version'
		elif [[ ${#words[@]} -eq 1 ]]; then
			candidates=$(sed -n "s/^[U ][a-z: ]* popgate ${words[0]} \([a-z]\{1,\}\).*/\1/p" <<<"$help")
		elif [[ ${words[0]} == users ]]; then
			candidates=$(_popgate_logins)
		elif [[ ${words[*]} == 'uidl import' ]]; then
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -f -- "$current")
			return
		fi
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$candidates" -- "$current")
}

complete -F _popgate popgate
