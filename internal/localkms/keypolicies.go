package localkms

import (
	"fmt"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/policy"
)

// policyName is the one name that a key policy can have.
const policyName = "default"

// newDefaultPolicy is the policy of keys that were given none.
func newDefaultPolicy(n namespace) (policyText, error) {
	text := policy.Default(n.principal("root"))
	document, err := policy.Parse(text)
	if err != nil {
		return policyText{}, fmt.Errorf("parse default key policy: %w", err)
	}
	return policyText{text, document}, nil
}

// policy reads a Policy. The model has room for more than KMS takes.
func (r *reader) policy(dst *string) { r.text("Policy", dst, 1, 131072) }

// parsePolicy reads a policy that a request brings for a key; nil, the default, where it brings none. Unless bypass is
// set, the caller must be able to replace it again.
func (s *Server) parsePolicy(c *call, k *key, text string, bypass bool) (*policyText, error) {
	switch {
	case text == "":
		return nil, nil //nolint:nilnil // nil is the default policy, which most of very many keys may share
	case len(text) > policy.MaxBytes:
		return nil, clientError("LimitExceededException", "A key policy can have %d bytes.", policy.MaxBytes)
	}
	document, err := policy.Parse(text)
	if err != nil {
		return nil, clientError("MalformedPolicyDocumentException", "%s", err)
	}
	if !bypass && document.Evaluate(c.asks("kms:PutKeyPolicy", k)) != policy.Allowed {
		return nil, clientError("MalformedPolicyDocumentException", "The new key policy will not allow you to update the key policy in the future.")
	}
	return &policyText{text, document}, nil
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyPolicy.html
type getKeyPolicyInput struct {
	keyID string
	name  string
}

func (in *getKeyPolicyInput) read(r *reader) {
	r.require("KeyId")
	r.text("KeyId", &in.keyID, 1, maxKeyIDLength)
	in.name = policyName
	r.text("PolicyName", &in.name, 1, 128)
}

type getKeyPolicyOutput struct {
	Policy     string
	PolicyName string
}

func (s *Server) getKeyPolicy(c *call, in getKeyPolicyInput) (out getKeyPolicyOutput, err error) {
	k, err := s.find(c, in.keyID)
	if err != nil {
		return out, err
	}
	if in.name != policyName {
		return out, errPolicyNotFound()
	}
	return getKeyPolicyOutput{Policy: s.policyText(k), PolicyName: policyName}, nil
}

func errPolicyNotFound() error {
	return clientError("NotFoundException", "No such policy exists: a key policy is named %s", policyName)
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html
type putKeyPolicyInput struct {
	getKeyPolicyInput
	policy string
	bypass bool
}

func (in *putKeyPolicyInput) read(r *reader) {
	in.getKeyPolicyInput.read(r)
	r.require("Policy")
	r.policy(&in.policy)
	r.boolean("BypassPolicyLockoutSafetyCheck", &in.bypass)
}

func (s *Server) putKeyPolicy(c *call, in putKeyPolicyInput) (empty, error) {
	if in.name != policyName {
		return empty{}, errPolicyNotFound()
	}
	return empty{}, s.change(c, in.keyID, func(_ tx, k *key) (err error) {
		k.policy, err = s.parsePolicy(c, k, in.policy, in.bypass)
		return err
	})
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeyPolicies.html
type listKeyPoliciesInput struct {
	listForKeyInput
}

func (in *listKeyPoliciesInput) read(r *reader) { in.readLimited(r, 100, 1000) }

type listKeyPoliciesOutput struct {
	PolicyNames []string
	NextMarker  string `json:",omitempty"`
	Truncated   bool
}

func (s *Server) listKeyPolicies(c *call, in listKeyPoliciesInput) (out listKeyPoliciesOutput, err error) {
	if _, err := s.find(c, in.keyID); err != nil {
		return out, err
	}
	out.PolicyNames, out.NextMarker, err = paged(in.page, []string{policyName})
	out.Truncated = out.NextMarker != ""
	return out, err
}
