#!/usr/bin/env bash
# Refresh static/vendor/ from the npm registry. For maintainers only: the product never needs npm or the network.
#
#   tools/vendor.sh            fetch, copy, strip, hash, and write static/vendor/SHA256SUMS and static/shared/icons.svg
#   tools/vendor.sh --check    only verify the files on disk against SHA256SUMS
#
# Every version is named here and nowhere else; the folder name carries it, so that a page's address changes
# with the version and may be cached for ever.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
vendor=$root/static/vendor

if [[ ${1:-} == --check ]]; then
    cd "$vendor" && exec sha256sum --check --quiet SHA256SUMS
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# fetch NAME VERSION: unpack the package under $work/package and start its folder afresh.
fetch() {
    local name=$1 version=$2 short
    short=${name#@}
    short=${short/\//-}
    echo "$name $version"
    rm -rf "$work/package"
    (cd "$work" && tar xzf "$(npm pack --silent "$name@$version")")
    target=$vendor/$short-$version
    rm -rf "${vendor:?}/$short"-*
    mkdir -p "$target"
}

# take FROM [TO]: copy one file of the package. Source map comments are cut, because the maps are not shipped
# and a browser with its tools open would ask for them in vain.
take() {
    local from=$work/package/$1 to=$target/${2:-$(basename "$1")}
    mkdir -p "$(dirname "$to")"
    case $from in
        *.js | *.css) sed -E 's#/\*\# sourceMappingURL=[^*]*\*/##; s#^//\# sourceMappingURL=.*$##' "$from" > "$to" ;;
        *) install -m 644 "$from" "$to" ;;
    esac
}

mit() {
    printf 'MIT License\n\n%s\n\n' "$1"
    cat <<'TEXT'
Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
TEXT
}

fetch weui 2.6.26
take dist/style/weui.min.css
take LICENSE.txt LICENSE

fetch htmx.org 2.0.11
take dist/htmx.min.js
take LICENSE

fetch leaflet 1.9.4
take dist/leaflet.js
take dist/leaflet.css
for image in layers.png layers-2x.png marker-icon.png marker-icon-2x.png marker-shadow.png; do
    take "dist/images/$image" "images/$image"
done
take LICENSE

fetch leaflet.markercluster 1.5.3
take dist/leaflet.markercluster.js
take dist/MarkerCluster.css
take dist/MarkerCluster.Default.css
take MIT-LICENCE.txt LICENSE

fetch @tabler/core 1.6.1
take dist/css/tabler.min.css
take dist/js/tabler.min.js
# The package names its licence in a comment only; this is the text it refers to.
mit "$(grep -m1 -o 'Copyright 2018-[0-9]* The Tabler Authors' "$work/package/dist/css/tabler.min.css")
Copyright 2018-2026 codecalm.net Paweł Kuna" > "$target/LICENSE"

fetch uplot 1.6.32
take dist/uPlot.iife.min.js
take dist/uPlot.min.css
take LICENSE

# The icons: one sprite, drawn from the outlines of Tabler Icons (MIT), so that a page asks for one small file.
icons=(
    adjustments alert-circle alert-triangle arrow-back-up arrow-forward-up bell bolt bookmark building
    building-community bulb calendar camera car chart-bar check chevron-down chevron-left chevron-right
    circle-check circle-x clipboard-list clock current-location dashboard download droplet eye filter flag
    focus-centered git-merge hammer help history home hourglass info-circle key language layout-list leaf link
    list-details lock logout map map-pin map-pin-plus menu-2 message message-report minus moon paw phone photo
    player-pause plus printer qrcode refresh road rotate route search send settings shield-check star sun tags
    thumb-up tool trash upload user user-check users volume wheelchair x
)
filled=(star map-pin circle-check)
echo "@tabler/icons 3.51.0 (sprite)"
rm -rf "$work/package"
(cd "$work" && tar xzf "$(npm pack --silent @tabler/icons@3.51.0)")
{
    printf '<svg xmlns="http://www.w3.org/2000/svg">\n'
    printf '<!-- Drawn from Tabler Icons 3.51.0, MIT License, Copyright (c) 2020-2026 Paweł Kuna; text in LICENSE-icons. Written by tools/vendor.sh. -->\n'
    shape() {  # shape FILE ID ATTRIBUTES
        printf '<symbol id="%s" viewBox="0 0 24 24" %s>' "$2" "$3"
        sed -e 's/<svg[^>]*>//' -e 's#</svg>##' "$1" | tr -d '\n' | sed -E 's/<svg[^>]*>//; s/<!--[^>]*-->//g; s/> +</></g; s/ +$//; s/^ +//; s#<path stroke="none" d="M0 0h24v24H0z" fill="none" ?/>##'
        printf '</symbol>\n'
    }
    for icon in "${icons[@]}"; do
        shape "$work/package/icons/outline/$icon.svg" "$icon" \
            'fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"'
    done
    for icon in "${filled[@]}"; do
        shape "$work/package/icons/filled/$icon.svg" "$icon-filled" 'fill="currentColor"'
    done
    printf '</svg>\n'
} > "$root/static/shared/icons.svg"
cp "$work/package/LICENSE" "$root/static/shared/LICENSE-icons"

# No file may ask another host for anything: names of XML spaces and of licences are the only addresses allowed.
if grep -rnoE "(@import|url\()[\"' ]*(https?:)?//[^)\"']*" "$vendor" --include='*.css'; then
    echo "A style sheet refers to a foreign host; see above." >&2
    exit 1
fi

cd "$vendor"
find . -type f ! -name SHA256SUMS | sed 's#^\./##' | LC_ALL=C sort | xargs -d '\n' sha256sum > SHA256SUMS
sha256sum --check --quiet SHA256SUMS
du -sh . | cut -f1
