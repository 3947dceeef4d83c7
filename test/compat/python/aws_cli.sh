#!/usr/bin/env bash
# Unmodified AWS CLI with the block that the server prints at its first start.
#   aws_cli.sh BLOCK    BLOCK is a file with the `export …` lines; `aws` is on the PATH; works in the current directory.
# Each step that passes is a line `ok NAME`; the first that fails ends the run.
set -euo pipefail
trap 'echo "failed at line $LINENO: $BASH_COMMAND" >&2' ERR
# shellcheck disable=SC1090
. "$1"
export AWS_PAGER='' AWS_EC2_METADATA_DISABLED=true

ok() { echo "ok $1"; }
same() { [ "$1" = "$2" ] || { echo "expected: $1" >&2; echo "found:    $2" >&2; return 1; }; }

aws s3 mb s3://cli-bucket
aws s3 ls | grep -q ' cli-bucket$'
ok 'mb and ls'

mkdir -p tree/deep
printf one > tree/one.txt
printf two > 'tree/deep/two words & ü.txt'
printf three > tree/three.txt
aws s3 cp tree/one.txt s3://cli-bucket/one.txt
same one "$(aws s3 cp s3://cli-bucket/one.txt -)"
printf piped | aws s3 cp - s3://cli-bucket/piped
same piped "$(aws s3 cp s3://cli-bucket/piped -)"
ok 'cp both ways, and through pipes'

aws s3 sync tree s3://cli-bucket/tree
same 3 "$(aws s3 ls --recursive s3://cli-bucket/tree/ | wc -l)"
rm tree/three.txt
aws s3 sync --delete tree s3://cli-bucket/tree
same 2 "$(aws s3 ls --recursive s3://cli-bucket/tree/ | wc -l)"
aws s3 sync s3://cli-bucket/tree back
diff -r tree back
aws s3 sync tree s3://cli-bucket/tree > again
same '' "$(cat again)"
aws s3 cp s3://cli-bucket/one.txt s3://cli-bucket/copied.txt
aws s3 mv s3://cli-bucket/copied.txt s3://cli-bucket/moved.txt
same one "$(aws s3 cp s3://cli-bucket/moved.txt -)"
ok 'sync both ways, with --delete; cp and mv inside'

head -c 67108864 /dev/urandom > large
aws s3 cp --only-show-errors large s3://cli-bucket/large
aws s3 cp --only-show-errors s3://cli-bucket/large large-back
cmp large large-back
aws s3api head-object --bucket cli-bucket --key large --query ETag --output text | grep -q -- '-8"$'
rm large large-back
ok 'multipart of 64 MiB'

url=$(aws s3 presign s3://cli-bucket/one.txt --expires-in 60)
same one "$(curl -sS --fail --noproxy '*' "$url")"
ok 'presign'

aws s3 rm s3://cli-bucket/one.txt
! aws s3 ls s3://cli-bucket/one.txt
aws s3 rm --recursive s3://cli-bucket
aws s3 rb s3://cli-bucket
! aws s3 ls s3://cli-bucket 2> refusal
grep -q NoSuchBucket refusal
ok 'rm and rb'
echo 'all ok'
