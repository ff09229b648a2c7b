# shellcheck shell=bash
# What the demo starts, and with which flags; sourced by demo.sh.

: "${root:?} ${assets:?} ${demo:?} ${helper:?} ${operator:?} ${system:?} ${dialect:?}" # demo.sh says which

# start_etcd PORT
start_etcd() {
	start etcd "$assets/etcd" --data-dir="$demo/etcd" --unsafe-no-fsync --log-level=warn \
		--listen-client-urls="http://127.0.0.1:$1" --advertise-client-urls="http://127.0.0.1:$1" \
		--listen-peer-urls=http://127.0.0.1:0
}

# start_kube_apiserver PORT ETCD_PORT
#
# It makes its own certificate. ServiceAccount admission is for Pods, and there are none.
start_kube_apiserver() {
	local token
	token=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
	echo "$token,demo-admin,demo-admin,system:masters" >"$demo/tokens.csv"
	"$helper" signing-key >"$demo/signing.key"
	server=https://127.0.0.1:$1
	write_kubeconfig "$KUBECONFIG" demo-admin "$token"
	start kube-apiserver "$assets/kube-apiserver" --etcd-servers="http://127.0.0.1:$2" \
		--bind-address=127.0.0.1 --advertise-address=127.0.0.1 --secure-port="$1" --cert-dir="$demo/tls" \
		--endpoint-reconciler-type=none --service-cluster-ip-range=10.0.0.0/24 \
		--authorization-mode=RBAC --token-auth-file="$demo/tokens.csv" --disable-admission-plugins=ServiceAccount \
		--service-account-issuer=https://kubernetes.default.svc \
		--service-account-signing-key-file="$demo/signing.key" --service-account-key-file="$demo/signing.key"
}

# write_kubeconfig FILE USER TOKEN
write_kubeconfig() {
	printf '%s\n' "apiVersion: v1" "kind: Config" "current-context: demo" \
		"clusters: [{name: demo, cluster: {server: \"$server\", certificate-authority: tls/apiserver.crt}}]" \
		"users: [{name: $2, user: {token: \"$3\"}}]" \
		"contexts: [{name: demo, context: {cluster: demo, user: $2}}]" >"$1"
}

# start_kms PORT
#
# In the dialect of QKMS it takes requests only as its documentation has them signed.
start_kms() {
	local strict=()
	if [[ $dialect == QKMS ]]; then strict=(--strict-signing); fi
	export AWS_ENDPOINT_URL_KMS=http://127.0.0.1:$1 AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
	export AWS_ACCESS_KEY_ID=localkms AWS_SECRET_ACCESS_KEY=localkms
	start localkms "$root/bin/localkms" --listen="127.0.0.1:$1" --dialect="$dialect" "${strict[@]}" --region="$AWS_REGION" \
		--access-key-id="$AWS_ACCESS_KEY_ID" --secret-access-key="$AWS_SECRET_ACCESS_KEY"
}

# start_manager NUMBER PROBES_PORT METRICS_PORT
#
# Shorter lease times than usual, for a takeover in seconds.
start_manager() {
	start "manager-$1" env AWS_ACCESS_KEY_ID="$AWS_ACCESS_KEY_ID" AWS_SECRET_ACCESS_KEY="$AWS_SECRET_ACCESS_KEY" \
		AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true \
		"$root/bin/manager" --kubeconfig="$demo/manager.kubeconfig" \
		--kms-endpoint="$AWS_ENDPOINT_URL_KMS" --kms-region="$AWS_REGION" --kms-dialect="$dialect" \
		--operator-namespace="$system" \
		--leader-elect --leader-election-lease-duration=6s --leader-election-renew-deadline=5s --leader-election-retry-period=1s \
		--health-probe-bind-address="127.0.0.1:$2" --metrics-bind-address="127.0.0.1:$3" --log-format=text
	await 60 "manager $1" "$helper" get "http://127.0.0.1:$2/readyz"
}

leader() {
	kubectl get lease "$operator" -n "$system" -o jsonpath='{.spec.holderIdentity}'
}

is_led() {
	[[ -n $(leader) ]]
}

is_led_by_other_than() {
	local now
	now=$(leader) && [[ -n $now && $now != "$1" ]]
}
