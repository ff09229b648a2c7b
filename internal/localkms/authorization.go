package localkms

import (
	"fmt"
	"maps"
	"strconv"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/policy"
)

// A Principal is someone who may sign requests. Its IAM permissions are taken to allow everything, so that key policies
// decide.
type Principal struct {
	// ARN is the principal's name in key policies and refusals: of a user, a role session or the root of the account.
	// Default: the user localkms of the account.
	ARN string
	// AccessKeyID and SecretAccessKey sign the requests.
	AccessKeyID     string
	SecretAccessKey string
	// SessionToken must come with the requests where it is set.
	SessionToken string
}

// authorize asks the policy of a key whether the caller may do what the call is about.
func (s *Server) authorize(c *call, k *key) error {
	action := "kms:" + c.action
	if isImporting(c.action) && !s.names.owns(c.principal.ARN) {
		return s.rules.errAccessDenied(c.principal.ARN, action, k.arn, "because key material cannot be imported across accounts")
	}
	switch s.policyOf(k).Evaluate(c.asks(action, k)) {
	case policy.Allowed:
		return nil
	case policy.ExplicitDeny:
		return s.rules.errAccessDenied(c.principal.ARN, action, k.arn, "with an explicit deny in a resource-based policy")
	case policy.NoAllow:
	}
	return s.rules.errAccessDenied(c.principal.ARN, action, k.arn, fmt.Sprintf("because no resource-based policy allows the %s action", action))
}

// isImporting tells the operations that no key policy opens to another account.
func isImporting(operation string) bool {
	switch operation {
	case "GetParametersForImport", "ImportKeyMaterial", "DeleteImportedKeyMaterial":
		return true
	default:
		return false
	}
}

// asks is what a key policy is asked about the call.
func (c *call) asks(action string, k *key) policy.Request {
	context := map[string]string{
		"kms:KeyOrigin": k.origin, "kms:KeySpec": k.spec.Name(), "kms:KeyUsage": k.usage,
		"kms:MultiRegion": strconv.FormatBool(k.family != nil), "aws:PrincipalArn": c.principal.ARN,
	}
	maps.Copy(context, c.conditions)
	return policy.Request{Principal: c.principal.ARN, Action: action, Resource: k.arn, Context: context}
}

func (s *Server) policyOf(k *key) *policy.Document {
	if k.policy == nil {
		return s.defaultPolicy.document
	}
	return k.policy.document
}

func (s *Server) policyText(k *key) string {
	if k.policy == nil {
		return s.defaultPolicy.text
	}
	return k.policy.text
}
