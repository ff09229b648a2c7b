// Package policy parses and evaluates AWS KMS key policies. It is pure: no I/O, no clock, no randomness; dates come
// in the context of a request, as values.
//
//	document, err := policy.Parse(text) // the error says what is wrong, and where
//	...
//	decision := document.Evaluate(policy.Request{
//		Principal: "arn:aws:iam::111122223333:user/alice",
//		Action:    "kms:ImportKeyMaterial",
//		Resource:  "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
//		Context:   map[string]string{"kms:ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"},
//	})
//
// An error of [Parse] is what KMS calls MalformedPolicyDocumentException. The length of a policy, at most 32,768
// bytes ([MaxBytes]), is for the caller to check: KMS refuses a longer one with LimitExceededException. So is the
// lockout safety check: whether the new policy lets the caller call kms:PutKeyPolicy is a question for
// [Document.Evaluate].
//
// # What follows which page
//
// The elements, and that a statement without Resource is accepted and has no effect:
// https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html.
// The grammar: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html.
// Principals: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
// and https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html.
// Conditions: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
// and https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html.
// The default policy: https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html.
// The ARN arn:verenc:<account>:root for an account of QKMS:
// https://docs.quilibrium.com/docs/api/q-kms/user-manual/key-policies.
//
// # Who is meant
//
// A statement for an account (its ID, or its ARN that ends in :root) gives nothing to anyone on AWS; it lets the
// account's IAM policies give it. There is no IAM here: every principal counts as allowed kms:* on everything by its
// own account. So a statement for an account means every principal of it, whatever the partition of either ARN. A
// statement for a role means every session of the role. A NotPrincipal exempts only a caller all of whose layers it
// lists: account and user, or account, role and session. AWS says that leaving one out might deny; here it does.
//
// # What is left out
//
// Policy variables such as ${aws:username} are refused where AWS would expand them, in policies of version
// 2012-10-17. The context holds one value a key; set operators see a set of at most one. Null takes neither a set
// operator nor IfExists. A bare year is refused as a date, because it reads as epoch seconds too. NotPrincipal with
// Allow is refused, as AWS's page has it. Names of actions and condition keys are not checked against a list: what
// the server never asks for, or never supplies, matches like any other absent thing.
package policy
