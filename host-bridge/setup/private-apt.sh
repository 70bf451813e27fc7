# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Debian packages for this build tree alone: apt with lists, cache and status of its own, so that it
# needs no root, changes nothing in the system and still checks Debian's signatures as apt always does.
# The mirror is the one that this machine's apt is set up for, proxies and all.
#
# Needs progress.sh. A private apt is a folder; every function takes it first.

DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# debian_sites: prints "KIND URI" lines for the Debian archives this machine's apt knows, KIND being
# "archive" or "security".
debian_sites() {
    # shellcheck disable=SC2016 # apt's own placeholders
    apt-get "$@" indextargets --format '$(CREATED_BY)|$(ORIGIN)|$(LABEL)|$(REPO_URI)' 2>/dev/null |
        sed -n -e 's/^Packages|Debian|Debian|/archive /p' -e 's/^Packages|Debian|Debian-Security|/security /p' |
        sort -u
}

# private_apt_create FOLDER SUITE...: makes FOLDER a private apt for these suites of Debian. A suite
# whose name ends in -security comes from the security archive and is left out if the machine knows none.
# PRIVATE_APT_COMPONENTS names the components, by default main.
private_apt_create() {
    local folder=$1 sites archive security suite uri
    shift
    mkdir -p "$folder/lists/partial" "$folder/archives/partial"
    : >"$folder/status"
    [[ -r $DEBIAN_KEYRING ]] ||
        fail "Debian's archive keys are missing ($DEBIAN_KEYRING)." "Install the package debian-archive-keyring."
    sites=$(debian_sites)
    if [[ $sites != *archive* ]]; then
        # A container image often comes without package lists, and apt tells nothing about a source
        # that it has never fetched: fetch the machine's own sources into a folder of ours.
        mkdir -p "$folder/system-lists/partial" "$folder/system-archives/partial"
        apt-get -o "Dir::State::Lists=$folder/system-lists" -o "Dir::Cache=$folder/system-archives" update
        sites=$(debian_sites -o "Dir::State::Lists=$folder/system-lists")
    fi
    archive=$(sed -n 's/^archive //p' <<<"$sites" | sed -n 1p)
    security=$(sed -n 's/^security //p' <<<"$sites" | sed -n 1p)
    [[ -n $archive ]] ||
        fail "apt on this machine has no source for Debian's archive." \
            "Add one to /etc/apt/sources.list.d (see sources.list(5)) and run apt-get update."
    for suite in "$@"; do
        uri=$archive
        if [[ $suite == *-security ]]; then uri=$security; fi
        [[ -z $uri ]] || printf 'deb [signed-by=%s] %s %s %s\n' "$DEBIAN_KEYRING" "$uri" "$suite" \
            "${PRIVATE_APT_COMPONENTS:-main}"
    done >"$folder/sources.list"
    private_apt_configure "$folder"
}

# private_apt_configure FOLDER: writes its apt.conf, from what the machine's says today.
private_apt_configure() {
    local folder=$1
    {
        # How to reach the archive (proxies, certificates, time limits) is the machine's business...
        apt-config dump | grep '^Acquire::' | grep -v '^Acquire::IndexTargets'
        # ...all else is ours: no hooks, no pins, no third-party sources, nothing unsigned.
        printf '%s\n' \
            'Acquire::AllowInsecureRepositories "false";' \
            'Acquire::AllowWeakRepositories "false";' \
            'Acquire::AllowDowngradeToInsecureRepositories "false";' \
            'APT::Get::AllowUnauthenticated "false";' \
            'Acquire::Languages "none";' \
            'Dir::Etc::Parts "/dev/null";' \
            'Dir::Etc::Main "/dev/null";' \
            'Dir::Etc::Preferences "/dev/null";' \
            'Dir::Etc::PreferencesParts "/dev/null";' \
            'Dir::Etc::SourceParts "/dev/null";' \
            "Dir::Etc::SourceList \"$folder/sources.list\";" \
            "Dir::State::Lists \"$folder/lists\";" \
            "Dir::State::Status \"$folder/status\";" \
            "Dir::State::extended_states \"$folder/extended_states\";" \
            "Dir::Cache \"$folder\";" \
            "Dir::Cache::Archives \"$folder/archives\";" \
            'APT::Architecture "amd64";' \
            'APT::Architectures { "amd64"; };' \
            'APT::Install-Recommends "false";' \
            'APT::Sandbox::User "root";' \
            'Debug::NoLocking "true";'
    } >"$folder/apt.conf"
}

# private_apt FOLDER ARGUMENT...: apt-get in a private apt.
private_apt() {
    local folder=$1
    shift
    APT_CONFIG=$folder/apt.conf apt-get -q -y "$@"
}

# private_apt_update FOLDER: fetches the lists; a list that cannot be fetched is an error.
private_apt_update() {
    private_apt "$1" -o APT::Update::Error-Mode=any update
}

# private_apt_resolve FOLDER OPTION_OR_PACKAGE...: prints the file in FOLDER/archives of each package that is
# named or that a named one depends on, whether it has been downloaded or not.
private_apt_resolve() {
    local folder=$1
    shift
    # An empty archive, because apt leaves out what it has already.
    private_apt "$folder" -o "Dir::Cache::Archives=$folder/none" --print-uris install "$@" |
        sed -n "s/^'[^']*' \([^ ]*\) .*/\1/p"
}

# private_apt_download FOLDER OPTION_OR_PACKAGE...: downloads what private_apt_resolve names.
private_apt_download() {
    local folder=$1
    shift
    private_apt "$folder" --download-only install "$@"
}
