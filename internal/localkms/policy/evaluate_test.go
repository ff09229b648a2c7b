package policy_test

import (
	"testing"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/policy"
)

// TestEvaluate asks what several statements say together. The caller is alice, the action kms:ImportKeyMaterial.
func TestEvaluate(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		text   string
		want   policy.Decision
	}{
		"allow":                 {reason: "the base", text: withStatements(allowing()), want: policy.Allowed},
		"nothing applies":       {reason: "denied by default", text: withStatements(allowing(`"Action":"kms:Decrypt"`)), want: policy.NoAllow},
		"deny alone":            {reason: "explicit", text: withStatements(denying()), want: policy.ExplicitDeny},
		"deny after allow":      {reason: "a deny wins", text: withStatements(allowing(), denying()), want: policy.ExplicitDeny},
		"deny before allow":     {reason: "whatever the order", text: withStatements(denying(), allowing()), want: policy.ExplicitDeny},
		"deny of other things":  {reason: "it does not apply", text: withStatements(denying(`"Action":"kms:Decrypt"`), allowing()), want: policy.Allowed},
		"second allows":         {reason: "one is enough", text: withStatements(allowing(`"Action":"kms:Decrypt"`), allowing()), want: policy.Allowed},
		"exact action":          {reason: "equal", text: withStatements(allowing(`"Action":"kms:ImportKeyMaterial"`)), want: policy.Allowed},
		"action's case":         {reason: "case-insensitive, prefix and name", text: withStatements(allowing(`"Action":"KMS:importkeymaterial"`)), want: policy.Allowed},
		"action with star":      {reason: "any characters", text: withStatements(allowing(`"Action":"kms:Import*"`)), want: policy.Allowed},
		"star for nothing":      {reason: "none included", text: withStatements(allowing(`"Action":"kms:ImportKeyMaterial*"`)), want: policy.Allowed},
		"stars that go back":    {reason: "the first e is not the one", text: withStatements(allowing(`"Action":"kms:*e*eria?"`)), want: policy.Allowed},
		"action with marks":     {reason: "one character each", text: withStatements(allowing(`"Action":"kms:Import???Material"`)), want: policy.Allowed},
		"marks too many":        {reason: "not none", text: withStatements(allowing(`"Action":"kms:ImportKeyMaterial?"`)), want: policy.NoAllow},
		"beginning of a name":   {reason: "not a prefix match", text: withStatements(allowing(`"Action":"kms:Import"`)), want: policy.NoAllow},
		"list of actions":       {reason: "one of them", text: withStatements(allowing(`"Action":["kms:Decrypt","kms:Import*"]`)), want: policy.Allowed},
		"NotAction, listed":     {reason: "excepted", text: withStatements(allowing(`"NotAction":["kms:Decrypt","kms:Import*"]`)), want: policy.NoAllow},
		"NotAction, other":      {reason: "everything else", text: withStatements(allowing(`"NotAction":"kms:Decrypt"`)), want: policy.Allowed},
		"own resource":          {reason: "the key's ARN", text: withStatements(allowing(`"Resource":"` + key + `"`)), want: policy.Allowed},
		"resource with star":    {reason: "any key", text: withStatements(allowing(`"Resource":"arn:aws:kms:*:111122223333:key/*"`)), want: policy.Allowed},
		"foreign resource":      {reason: "the policy applies to its own key only", text: withStatements(allowing(`"Resource":"arn:aws:kms:us-east-1:111122223333:key/other"`)), want: policy.NoAllow},
		"resource's case":       {reason: "case-sensitive", text: withStatements(allowing(`"Resource":"arn:aws:kms:US-EAST-1:111122223333:key/*"`)), want: policy.NoAllow},
		"NotResource, own":      {reason: "excepted", text: withStatements(denying(`"NotResource":"`+key+`"`), allowing()), want: policy.Allowed},
		"NotResource, other":    {reason: "everything else", text: withStatements(denying(`"NotResource":"arn:aws:kms:us-east-1:111122223333:key/other"`), allowing()), want: policy.ExplicitDeny},
		"allow sans Resource":   {reason: "has no effect", text: withStatements(`{"Effect":"Allow","Principal":"*","Action":"*"}`), want: policy.NoAllow},
		"deny sans Resource":    {reason: "has no effect", text: withStatements(`{"Effect":"Deny","Principal":"*","Action":"*"}`, allowing()), want: policy.Allowed},
		"conditions all true":   {reason: "and", text: withStatements(allowing(`"Condition":{"StringEquals":{"kms:KeyOrigin":"EXTERNAL","aws:PrincipalArn":"` + alice + `"},"Null":{"kms:ValidTo":"true"}}`)), want: policy.Allowed},
		"one of two keys false": {reason: "and, between keys", text: withStatements(allowing(`"Condition":{"StringEquals":{"kms:KeyOrigin":"EXTERNAL","aws:PrincipalArn":"x"}}`)), want: policy.NoAllow},
		"one of two ops false":  {reason: "and, between operators", text: withStatements(allowing(`"Condition":{"StringEquals":{"kms:KeyOrigin":"EXTERNAL"},"Null":{"kms:ValidTo":"false"}}`)), want: policy.NoAllow},
		"empty condition":       {reason: "nothing to hold", text: withStatements(allowing(`"Condition":{"StringEquals":{}}`)), want: policy.Allowed},
	} {
		t.Run(name, func(t *testing.T) {
			got := mustParse(t, c.text).Evaluate(policy.Request{
				Principal: alice, Action: "kms:ImportKeyMaterial", Resource: key,
				Context: map[string]string{"kms:KeyOrigin": "EXTERNAL", "aws:PrincipalArn": alice},
			})
			if got != c.want {
				t.Errorf("%v, want %v: %s", got, c.want, c.reason)
			}
		})
	}
}

// TestPrincipals puts each principal into an allowing statement, and with not into a denying one beside an allowing.
func TestPrincipals(t *testing.T) {
	for name, c := range map[string]struct {
		reason    string
		principal string
		caller    string
		not       bool
		want      policy.Decision
	}{
		"everyone":               {reason: "of every account", principal: `"*"`, caller: other, want: policy.Allowed},
		"everyone as AWS":        {reason: "the same", principal: `{"AWS":"*"}`, caller: other, want: policy.Allowed},
		"everyone, not an ARN":   {reason: "whoever that is", principal: `"*"`, caller: "someone", want: policy.Allowed},
		"nobody known":           {reason: "not an ARN", principal: `{"AWS":"111122223333"}`, caller: "someone", want: policy.NoAllow},
		"account ID":             {reason: "all of its principals", principal: `{"AWS":"111122223333"}`, caller: alice, want: policy.Allowed},
		"account ARN":            {reason: "the same", principal: `{"AWS":"` + root + `"}`, caller: alice, want: policy.Allowed},
		"account of a session":   {reason: "a session is of the account", principal: `{"AWS":"` + root + `"}`, caller: session, want: policy.Allowed},
		"account's root user":    {reason: "is the account", principal: `{"AWS":"111122223333"}`, caller: root, want: policy.Allowed},
		"other account":          {reason: "not its principal", principal: `{"AWS":"444455556666"}`, caller: alice, want: policy.NoAllow},
		"other partition":        {reason: "an account is one", principal: `{"AWS":"arn:aws-cn:iam::111122223333:root"}`, caller: alice, want: policy.Allowed},
		"user":                   {reason: "exactly", principal: `{"AWS":"` + alice + `"}`, caller: alice, want: policy.Allowed},
		"user with a path":       {reason: "exactly", principal: `{"AWS":"` + bob + `"}`, caller: bob, want: policy.Allowed},
		"user without its path":  {reason: "another ARN", principal: `{"AWS":"arn:aws:iam::111122223333:user/bob"}`, caller: bob, want: policy.NoAllow},
		"user's case":            {reason: "case-sensitive", principal: `{"AWS":"arn:aws:iam::111122223333:user/Alice"}`, caller: alice, want: policy.NoAllow},
		"user of other account":  {reason: "another ARN", principal: `{"AWS":"` + other + `"}`, caller: alice, want: policy.NoAllow},
		"user is not account":    {reason: "a statement for a user is not for all", principal: `{"AWS":"` + alice + `"}`, caller: root, want: policy.NoAllow},
		"second of a list":       {reason: "or", principal: `{"AWS":["` + bob + `","` + alice + `"]}`, caller: alice, want: policy.Allowed},
		"role":                   {reason: "exactly", principal: `{"AWS":"` + role + `"}`, caller: role, want: policy.Allowed},
		"session of the role":    {reason: "acts as the role, whose path its ARN leaves out", principal: `{"AWS":"` + role + `"}`, caller: session, want: policy.Allowed},
		"session of other role":  {reason: "another role", principal: `{"AWS":"arn:aws:iam::111122223333:role/reader"}`, caller: session, want: policy.NoAllow},
		"role of other account":  {reason: "another role", principal: `{"AWS":"arn:aws:iam::444455556666:role/importer"}`, caller: session, want: policy.NoAllow},
		"the session":            {reason: "exactly", principal: `{"AWS":"` + session + `"}`, caller: session, want: policy.Allowed},
		"another session":        {reason: "one session was named", principal: `{"AWS":"` + session + `"}`, caller: "arn:aws:sts::111122223333:assumed-role/importer/tuesday", want: policy.NoAllow},
		"role is not a session":  {reason: "one session was named", principal: `{"AWS":"` + session + `"}`, caller: role, want: policy.NoAllow},
		"user named as a role":   {reason: "users and roles have names apart", principal: `{"AWS":"` + role + `"}`, caller: "arn:aws:iam::111122223333:user/path/importer", want: policy.NoAllow},
		"federated user":         {reason: "exactly", principal: `{"AWS":"arn:aws:sts::111122223333:federated-user/carol"}`, caller: "arn:aws:sts::111122223333:federated-user/carol", want: policy.Allowed},
		"service":                {reason: "none calls", principal: `{"Service":"s3.amazonaws.com"}`, caller: "s3.amazonaws.com", want: policy.NoAllow},
		"service and account":    {reason: "the account counts", principal: `{"Service":"s3.amazonaws.com","AWS":"111122223333"}`, caller: alice, want: policy.Allowed},
		"QKMS user":              {reason: "four parts", principal: `{"AWS":"arn:verenc:111122223333:user/alice"}`, caller: "arn:verenc:111122223333:user/alice", want: policy.Allowed},
		"not: user and account":  {reason: "all of the caller is listed", not: true, principal: `{"AWS":["` + alice + `","` + root + `"]}`, caller: alice, want: policy.Allowed},
		"not: user alone":        {reason: "the account is not excepted", not: true, principal: `{"AWS":"` + alice + `"}`, caller: alice, want: policy.ExplicitDeny},
		"not: account alone":     {reason: "the user is not excepted", not: true, principal: `{"AWS":"` + root + `"}`, caller: alice, want: policy.ExplicitDeny},
		"not: other user":        {reason: "not listed", not: true, principal: `{"AWS":["` + alice + `","` + root + `"]}`, caller: bob, want: policy.ExplicitDeny},
		"not: root user":         {reason: "the account is all it is", not: true, principal: `{"AWS":"111122223333"}`, caller: root, want: policy.Allowed},
		"not: session, role too": {reason: "all three", not: true, principal: `{"AWS":["` + session + `","` + role + `","` + root + `"]}`, caller: session, want: policy.Allowed},
		"not: role and account":  {reason: "the session is not excepted", not: true, principal: `{"AWS":["` + role + `","` + root + `"]}`, caller: session, want: policy.ExplicitDeny},
		"not: session, account":  {reason: "the role is not excepted", not: true, principal: `{"AWS":["` + session + `","` + root + `"]}`, caller: session, want: policy.ExplicitDeny},
		"not: everyone":          {reason: "nobody is left", not: true, principal: `"*"`, caller: alice, want: policy.Allowed},
		"not: service":           {reason: "no caller is excepted", not: true, principal: `{"Service":"s3.amazonaws.com"}`, caller: alice, want: policy.ExplicitDeny},
		"not: not an ARN":        {reason: "nobody that is listed", not: true, principal: `{"AWS":"` + root + `"}`, caller: "someone", want: policy.ExplicitDeny},
	} {
		t.Run(name, func(t *testing.T) {
			text := withStatements(allowing(`"Principal":` + c.principal))
			if c.not {
				text = withStatements(allowing(), denying(`"NotPrincipal":`+c.principal))
			}
			got := mustParse(t, text).Evaluate(policy.Request{Principal: c.caller, Action: "kms:Decrypt", Resource: key})
			if got != c.want {
				t.Errorf("%v, want %v: %s", got, c.want, c.reason)
			}
		})
	}
}

func TestInvalidPrincipals(t *testing.T) {
	for name, c := range map[string]struct {
		reason    string
		principal string
	}{
		"name":                  {reason: "no ARN", principal: "alice"},
		"empty":                 {reason: "no ARN", principal: ""},
		"short account":         {reason: "12 digits", principal: "11112222333"},
		"short account in ARN":  {reason: "12 digits", principal: "arn:aws:iam::1111:root"},
		"account of all":        {reason: "no wildcard in an ARN", principal: "arn:aws:iam::*:root"},
		"question mark":         {reason: "a wildcard too", principal: "arn:aws:iam::111122223333:user/alic?"},
		"every session":         {reason: "a session must be named", principal: "arn:aws:sts::111122223333:assumed-role/importer/*"},
		"with Region":           {reason: "IAM has none", principal: "arn:aws:iam:us-east-1:111122223333:root"},
		"key":                   {reason: "not of IAM", principal: key},
		"root with a name":      {reason: "no such thing", principal: root + "/alice"},
		"user sans name":        {reason: "no name", principal: "arn:aws:iam::111122223333:user/"},
		"user sans slash":       {reason: "no name", principal: "arn:aws:iam::111122223333:user"},
		"role that is a path":   {reason: "no name", principal: "arn:aws:iam::111122223333:role/path/"},
		"role sans session":     {reason: "a session must be named", principal: "arn:aws:sts::111122223333:assumed-role/importer"},
		"empty session":         {reason: "a session must be named", principal: "arn:aws:sts::111122223333:assumed-role/importer/"},
		"role of STS":           {reason: "roles are IAM's", principal: "arn:aws:sts::111122223333:role/importer"},
		"session of IAM":        {reason: "sessions are STS's", principal: "arn:aws:iam::111122223333:assumed-role/importer/monday"},
		"identity provider":     {reason: "goes under Federated", principal: "arn:aws:iam::111122223333:saml-provider/p"},
		"unique ID":             {reason: "what is left of a deleted user", principal: "AIDACKCEVSQ6C2EXAMPLE"},
		"QKMS, not an account":  {reason: "12 digits", principal: "arn:verenc:iam::111122223333:root"},
		"QKMS, key":             {reason: "not a principal", principal: "arn:verenc:111122223333:key/1234abcd"},
		"another thing as arn:": {reason: "an ARN starts so", principal: "urn:aws:iam::111122223333:root"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := policy.Parse(withStatements(allowing(`"Principal":{"AWS":"` + c.principal + `"}`))); err == nil {
				t.Errorf("accepted %q: %s", c.principal, c.reason)
			}
		})
	}
}

func TestDecisionNames(t *testing.T) {
	for want, d := range map[string]policy.Decision{
		"NoAllow": policy.NoAllow, "Allowed": policy.Allowed, "ExplicitDeny": policy.ExplicitDeny, "Decision(7)": policy.Decision(7),
	} {
		if d.String() != want {
			t.Errorf("%s, want %s", d, want)
		}
	}
	if zero := *new(policy.Decision); zero != policy.NoAllow {
		t.Errorf("the zero decision is %s", zero)
	}
}
