#!/usr/bin/env bash
# Imports keys into the local KMS as the AWS documentation says to, with nothing but the AWS CLI and OpenSSL, and proves
# by use that they are the keys that went in. What works here works against AWS KMS, whose import pages it follows:
# https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-encrypt-key-material.html
#
# Needs bin/localkms (make build), openssl 3 and aws; on Debian it installs what is missing where it may.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

say() { echo "awscli: $*"; }

die() {
	say "$*" >&2
	exit 1
}

# need COMMAND PACKAGE
need() {
	if command -v "$1" >/dev/null; then return; fi
	if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
		die "$1 is needed and not on the PATH: install it (Debian package $2)"
	fi
	say "installing the Debian package $2"
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >/dev/null
}

need openssl openssl
need aws awscli
[[ -x $root/bin/localkms ]] || die "there is no bin/localkms: run make build first"

umask 077
work=$(mktemp -d)
finish() {
	local running
	readarray -t running < <(jobs -p)
	if [[ ${#running[@]} != 0 ]]; then
		kill "${running[@]}" 2>/dev/null || true
		wait
	fi
	rm -rf "$work"
}
trap finish EXIT
cd "$work"

# No profile, proxy or credential of the caller's has a part in this.
export HOME=$work AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true
export AWS_PAGER= NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
export AWS_ACCESS_KEY_ID=localkms AWS_SECRET_ACCESS_KEY=localkms AWS_DEFAULT_REGION=eu-west-1
unset AWS_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL AWS_ENDPOINT_URL_KMS AWS_REGION AWS_CA_BUNDLE

# serve DIALECT: a local KMS whose address will be in the file DIALECT. It ends with this script, and by itself soon after
# where nothing could end it.
serve() {
	timeout 600 "$root/bin/localkms" --listen=127.0.0.1:0 --address-file="$1" --dialect="$1" >"$1.out" 2>"$1.log" &
	local kms=$!
	for _ in {1..100}; do
		if [[ -s $1 ]]; then return; fi
		kill -0 "$kms" 2>/dev/null || die "localkms did not start: $(cat "$1.log")"
		sleep 0.1
	done
	die "localkms wrote no address in 10 s"
}

# Flows run in folders below that of the addresses. Which KMS one talks to is its variable dialect.
dialect=AWS
aws_kms() { aws kms --endpoint-url "http://$(cat "$work/$dialect")" "$@"; }

# create KEY_SPEC KEY_USAGE: a key without material
create() {
	aws_kms create-key --origin EXTERNAL --key-spec "$1" --key-usage "$2" --query KeyMetadata.KeyId --output text
}

# parameters KEY_ID ALGORITHM WRAPPING_KEY_SPEC: wrapping.der and token.bin, of one answer
parameters() {
	aws_kms get-parameters-for-import --key-id "$1" --wrapping-algorithm "$2" --wrapping-key-spec "$3" \
		--query '[PublicKey,ImportToken]' --output text >parameters
	cut -f1 parameters | openssl base64 -d -A >wrapping.der
	cut -f2 parameters | openssl base64 -d -A >token.bin
}

# oaep HASH <MATERIAL >WRAPPED
oaep() {
	openssl pkeyutl -encrypt -pubin -keyform DER -inkey wrapping.der \
		-pkeyopt rsa_padding_mode:oaep -pkeyopt "rsa_oaep_md:$1" -pkeyopt "rsa_mgf1_md:$1"
}

# aes_wrap HASH MATERIAL >WRAPPED: RSA_AES_KEY_WRAP
#
# The AES key is on the command line of openssl for a moment, as in the documentation: for test keys only.
aes_wrap() {
	openssl rand -out aes.bin 32
	oaep "$1" <aes.bin
	openssl enc -id-aes256-wrap-pad -iv A65959A6 -K "$(od -An -vtx1 aes.bin | tr -d ' \n')" -in "$2"
}

# import KEY_ID WRAPPED [OPTION ...]: for good, unless the options say until when
import() {
	local key=$1 wrapped=$2
	shift 2
	if [[ $# == 0 ]]; then set -- --expiration-model KEY_MATERIAL_DOES_NOT_EXPIRE; fi
	aws_kms import-key-material --key-id "$key" --import-token fileb://token.bin --encrypted-key-material "fileb://$wrapped" \
		"$@" >/dev/null
}

# refused CODE COMMAND ...
refused() {
	local code=$1
	shift
	if "$@" >/dev/null 2>refusal; then die "this should be refused: $*"; fi
	grep -q "($code)" refusal || die "this should be refused with $code: $*: $(cat refusal)"
}

state() { aws_kms describe-key --key-id "$1" --query KeyMetadata.KeyState --output text; }

# from_base64 <TEXT >BYTES
from_base64() { openssl base64 -d -A; }

symmetric() {
	local key
	key=$(create SYMMETRIC_DEFAULT ENCRYPT_DECRYPT)
	openssl rand -out aes-256.bin 32
	parameters "$key" RSAES_OAEP_SHA_256 RSA_3072
	oaep sha256 <aes-256.bin >wrapped.bin
	import "$key" wrapped.bin

	echo -n "a secret" >plain
	aws_kms encrypt --key-id "$key" --plaintext fileb://plain --query CiphertextBlob --output text | from_base64 >cipher
	aws_kms delete-imported-key-material --key-id "$key" >/dev/null
	refused KMSInvalidStateException aws_kms decrypt --ciphertext-blob fileb://cipher
	[[ $(state "$key") == PendingImport ]] || die "a key without material is not PendingImport"

	parameters "$key" RSAES_OAEP_SHA_1 RSA_2048
	oaep sha1 <aes-256.bin >wrapped.bin
	import "$key" wrapped.bin
	aws_kms decrypt --ciphertext-blob fileb://cipher --query Plaintext --output text | from_base64 | cmp - plain
	say "symmetric: what was encrypted before the deletion decrypts after the re-import"
}

hmac() {
	local key
	key=$(create HMAC_512 GENERATE_VERIFY_MAC)
	openssl rand -out hmac.bin 64
	parameters "$key" RSAES_OAEP_SHA_256 RSA_4096
	oaep sha256 <hmac.bin >wrapped.bin
	import "$key" wrapped.bin

	echo -n "a message" >message
	aws_kms generate-mac --key-id "$key" --mac-algorithm HMAC_SHA_512 --message fileb://message --query Mac --output text |
		from_base64 >mac.kms
	openssl mac -digest SHA512 -macopt "hexkey:$(od -An -vtx1 hmac.bin | tr -d ' \n')" -in message -binary -out mac.own HMAC
	cmp mac.kms mac.own
	say "HMAC: OpenSSL computes the same MAC from the material"
}

elliptic() {
	local key
	key=$(create ECC_NIST_P384 SIGN_VERIFY)
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -pkeyopt ec_param_enc:named_curve -outform DER -out ec.sec1
	openssl pkcs8 -topk8 -nocrypt -inform DER -in ec.sec1 -outform DER -out ec.der
	openssl pkey -inform DER -in ec.der -pubout -out ec.pub
	parameters "$key" RSAES_OAEP_SHA_256 RSA_4096
	oaep sha256 <ec.der >wrapped.bin
	import "$key" wrapped.bin

	echo -n "a message" >message
	aws_kms sign --key-id "$key" --signing-algorithm ECDSA_SHA_384 --message fileb://message --query Signature --output text |
		from_base64 >signature
	openssl dgst -sha384 -verify ec.pub -signature signature message >/dev/null
	aws_kms get-public-key --key-id "$key" --query PublicKey --output text | from_base64 |
		openssl pkey -pubin -inform DER -pubout | cmp - ec.pub
	say "EC: OpenSSL verifies the signature under the public key of the material"
}

rsa() {
	local key
	key=$(create RSA_2048 ENCRYPT_DECRYPT)
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -outform PEM -out rsa.pem 2>/dev/null
	openssl pkcs8 -topk8 -nocrypt -in rsa.pem -outform DER -out rsa.der
	parameters "$key" RSA_AES_KEY_WRAP_SHA_256 RSA_4096
	aes_wrap sha256 rsa.der >wrapped.bin
	import "$key" wrapped.bin

	echo -n "a secret" >plain
	openssl pkeyutl -encrypt -inkey rsa.pem -in plain -out cipher \
		-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256
	aws_kms decrypt --key-id "$key" --encryption-algorithm RSAES_OAEP_SHA_256 --ciphertext-blob fileb://cipher \
		--query Plaintext --output text | from_base64 | cmp - plain
	say "RSA: KMS decrypts what OpenSSL encrypted under the public key of the material"
}

# qkms is the symmetric flow again, by the rules of QKMS: its ARNs and dates, no import over material, one wrapping key spec.
qkms() {
	local dialect=QKMS key
	key=$(aws_kms create-key --origin EXTERNAL --query KeyMetadata.Arn --output text)
	[[ $key == arn:verenc:111122223333:key/* ]] || die "no ARN of QKMS: $key"
	openssl rand -out aes-256.bin 32
	parameters "$key" RSAES_OAEP_SHA_256 RSA_2048
	oaep sha256 <aes-256.bin >wrapped.bin
	import "$key" wrapped.bin --expiration-model KEY_MATERIAL_EXPIRES --valid-to "$(($(date +%s) + 3600))"
	refused KMSInvalidStateException import "$key" wrapped.bin

	echo -n "a secret" >plain
	aws_kms encrypt --key-id "$key" --plaintext fileb://plain --query CiphertextBlob --output text | from_base64 >cipher
	aws_kms decrypt --ciphertext-blob fileb://cipher --query Plaintext --output text | from_base64 | cmp - plain
	say "QKMS: a key by its rules encrypts and decrypts"
}

serve AWS
serve QKMS

# The AWS CLI takes its time to start, so all flows run at once.
flows=(symmetric hmac elliptic rsa qkms)
started=()
for flow in "${flows[@]}"; do
	mkdir "$flow"
	(cd "$flow" && "$flow") &
	started+=($!)
done
failed=
for flow in "${started[@]}"; do
	wait "$flow" || failed=1
done
[[ -z $failed ]] || die "failed"
say "ok"
