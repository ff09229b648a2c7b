package localkms_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

const (
	alice = "arn:aws:iam::111122223333:user/alice"
	bob   = "arn:aws:iam::111122223333:user/bob"
	role  = "arn:aws:iam::111122223333:role/importer"
)

// people lets several principals sign. The secret of each is its access key ID.
func people(o *localkms.Options) {
	o.Principals = []localkms.Principal{
		{AccessKeyID: "localkms", SecretAccessKey: "localkms"},
		{ARN: alice, AccessKeyID: "alice", SecretAccessKey: "alice"},
		{ARN: bob, AccessKeyID: "bob", SecretAccessKey: "bob"},
		{ARN: "arn:aws:sts::111122223333:assumed-role/importer/monday", AccessKeyID: "session", SecretAccessKey: "session"},
		{ARN: "arn:aws:iam::444455556666:user/carol", AccessKeyID: "carol", SecretAccessKey: "carol"},
	}
}

// as is the fixture as another principal sees it.
func (f *fixture) as(accessKeyID string) *fixture {
	g := *f
	g.caller = accessKeyID
	g.client = newClient(f.url, accessKeyID, accessKeyID)
	return &g
}

// noAllow and explicitDeny are AWS's sentences.
func noAllow(principal, action, resource string) string {
	return fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s because no resource-based policy allows the %[2]s action", principal, action, resource)
}

func explicitDeny(principal, action, resource string) string {
	return fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s with an explicit deny in a resource-based policy", principal, action, resource)
}

// policied makes a key that everything is allowed with for whoever made it, and what the statements say for others.
func (f *fixture) policied(origin string, statements ...object) string {
	f.t.Helper()
	keyID := f.createKey("SYMMETRIC_DEFAULT", origin)
	f.putPolicy(keyID, policyOf(append([]object{statement("Allow", me, "kms:*")}, statements...)...))
	return keyID
}

// TestPrincipals shows who may use a key under the policies that there are most often.
func TestPrincipals(t *testing.T) {
	f := newFixture(t, people)
	for name, c := range map[string]struct {
		reason     string
		statements []object
		may        []string
	}{
		"default":          {reason: "everyone of the account", may: []string{"alice", "bob", "localkms", "session"}},
		"one user":         {reason: "nobody else", statements: []object{statement("Allow", alice, "kms:*")}, may: []string{"alice", "localkms"}},
		"two users":        {reason: "a list", statements: []object{{"Effect": "Allow", "Principal": object{"AWS": []string{alice, bob}}, "Action": "kms:*", "Resource": "*"}}, may: []string{"alice", "bob", "localkms"}},
		"a role":           {reason: "its sessions act for it", statements: []object{statement("Allow", role, "kms:*")}, may: []string{"localkms", "session"}},
		"another account":  {reason: "keys are used across accounts, too", statements: []object{statement("Allow", "444455556666", "kms:*")}, may: []string{"carol", "localkms"}},
		"everyone":         {reason: "of all accounts", statements: []object{statement("Allow", "*", "kms:*")}, may: []string{"alice", "bob", "carol", "localkms", "session"}},
		"all but one":      {reason: "a Deny outweighs an Allow", statements: []object{statement("Allow", "*", "kms:*"), statement("Deny", bob, "kms:*")}, may: []string{"alice", "carol", "localkms", "session"}},
		"denied by a role": {reason: "sessions too", statements: []object{statement("Allow", "*", "kms:*"), statement("Deny", role, "kms:*")}, may: []string{"alice", "bob", "carol", "localkms"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
			if c.statements != nil {
				f.putPolicy(keyID, policyOf(append(c.statements, statement("Allow", me, "kms:*"))...))
			}
			may := []string{}
			for _, who := range []string{"alice", "bob", "carol", "localkms", "session"} {
				a := f.as(who).call("Encrypt", object{"KeyId": keyID, "Plaintext": []byte("x")}.String())
				if a.code == "" {
					may = append(may, who)
				} else {
					f.expect(a, "AccessDeniedException", "")
				}
			}
			if diff := cmp.Diff(c.may, may); diff != "" {
				t.Errorf("may encrypt (-want +got):\n%s", diff)
			}
		})
	}
}

// TestImportAcrossAccounts shows what no key policy can allow: principals of another account use a key, and import nothing.
func TestImportAcrossAccounts(t *testing.T) {
	f := newFixture(t, people)
	keyID := f.policied("EXTERNAL", statement("Allow", "arn:aws:iam::444455556666:user/carol", "kms:*"))
	carol := f.as("carol")
	carol.must("DescribeKey", object{"KeyId": arnOf(keyID)})
	for operation, body := range map[string]object{
		"GetParametersForImport":    {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"},
		"ImportKeyMaterial":         {"ImportToken": "AAAA", "EncryptedKeyMaterial": "AAAA", "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"},
		"DeleteImportedKeyMaterial": {},
	} {
		body["KeyId"] = arnOf(keyID)
		carol.expect(carol.call(operation, body.String()), "AccessDeniedException",
			"User: arn:aws:iam::444455556666:user/carol is not authorized to perform: kms:"+operation+" on resource: "+arnOf(keyID)+
				" because key material cannot be imported across accounts")
	}
}

// TestPolicyDecisions asks for one thing, DescribeKey, under one policy after the other.
func TestPolicyDecisions(t *testing.T) {
	f := newFixture(t, people)
	allow := func(actions ...string) object { return statement("Allow", alice, actions...) }
	deny := func(actions ...string) object { return statement("Deny", alice, actions...) }
	with := func(s object, name string, value any) object {
		delete(s, "Action")
		s[name] = value
		return s
	}
	none, denied := noAllow, explicitDeny
	for name, c := range map[string]struct {
		reason     string
		statements []object
		refusal    func(principal, action, resource string) string
	}{
		"nothing":             {reason: "what is not allowed is refused", refusal: none},
		"the action":          {reason: "allowed", statements: []object{allow("kms:DescribeKey")}},
		"another action":      {reason: "not what was asked", statements: []object{allow("kms:Encrypt")}, refusal: none},
		"one of several":      {reason: "each counts", statements: []object{allow("kms:Encrypt", "kms:DescribeKey")}},
		"beginning":           {reason: "a wildcard", statements: []object{allow("kms:Describe*")}},
		"other beginning":     {reason: "a wildcard", statements: []object{allow("kms:Get*")}, refusal: none},
		"one character":       {reason: "a wildcard", statements: []object{allow("kms:DescribeKe?")}},
		"all of KMS":          {reason: "a wildcard", statements: []object{allow("kms:*")}},
		"all":                 {reason: "a wildcard", statements: []object{allow("*")}},
		"small letters":       {reason: "actions are not case-sensitive", statements: []object{allow("kms:describekey")}},
		"another service":     {reason: "not KMS", statements: []object{allow("s3:*")}, refusal: none},
		"second statement":    {reason: "each counts", statements: []object{allow("kms:Encrypt"), allow("kms:DescribeKey")}},
		"for someone else":    {reason: "not who asks", statements: []object{statement("Allow", bob, "kms:*")}, refusal: none},
		"deny":                {reason: "said in words of its own", statements: []object{deny("kms:DescribeKey")}, refusal: denied},
		"allow and deny":      {reason: "the Deny wins", statements: []object{allow("kms:*"), deny("kms:Describe*")}, refusal: denied},
		"deny and allow":      {reason: "in whatever order", statements: []object{deny("kms:Describe*"), allow("kms:DescribeKey")}, refusal: denied},
		"deny another action": {reason: "not what was asked", statements: []object{allow("kms:*"), deny("kms:Encrypt")}},
		"deny someone else":   {reason: "not who asks", statements: []object{allow("kms:*"), statement("Deny", bob, "kms:*")}},
		"not another action":  {reason: "all but", statements: []object{with(allow(), "NotAction", "kms:Encrypt")}},
		"not the action":      {reason: "all but", statements: []object{with(allow(), "NotAction", "kms:DescribeKey")}, refusal: none},
		"deny all but":        {reason: "what a guard looks like", statements: []object{allow("kms:*"), with(deny(), "NotAction", []string{"kms:Describe*"})}},
		"this account's keys": {reason: "the key is one", statements: []object{with(with(allow(), "Action", "kms:*"), "Action", "kms:*"), with(object{"Effect": "Deny", "Principal": "*", "Resource": "arn:aws:kms:eu-*:111122223333:key/*"}, "Action", "kms:*")}},
		"keys of this Region": {reason: "the key is one", statements: []object{allow("kms:*"), with(object{"Effect": "Deny", "Principal": object{"AWS": alice}, "Resource": "arn:aws:kms:us-east-1:111122223333:key/*"}, "Action", "kms:*")}, refusal: denied},
		"by principal's ARN":  {reason: "aws:PrincipalArn is known", statements: []object{with(object{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": object{"ArnEquals": object{"aws:PrincipalArn": alice}}}, "Action", "kms:*")}},
		"by unknown key":      {reason: "what is not known does not match", statements: []object{with(object{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": object{"StringEquals": object{"kms:ViaService": "s3"}}}, "Action", "kms:*")}, refusal: none},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			keyID := f.policied("AWS_KMS", c.statements...)
			code, message := "", ""
			if c.refusal != nil {
				code, message = "AccessDeniedException", c.refusal(alice, "kms:DescribeKey", arnOf(keyID))
			}
			for _, ref := range []string{keyID, arnOf(keyID)} {
				f.expect(f.as("alice").call("DescribeKey", object{"KeyId": ref}.String()), code, message)
			}
			f.must("DescribeKey", object{"KeyId": keyID})
		})
	}
}

// ofIAM are the operations whose permission no key policy gives or takes.
var ofIAM = []string{"CreateKey", "GenerateRandom", "ListAliases", "ListKeys"}

// requestsFor is one request of each operation, those that are about a key about this one. Everything they need is there.
func (f *fixture) requestsFor(keyID string) map[string]object {
	f.t.Helper()
	requests := validRequests()
	for _, body := range requests {
		for _, name := range []string{"KeyId", "TargetKeyId", "SourceKeyId", "DestinationKeyId"} {
			if _, found := body[name]; found {
				body[name] = keyID
			}
		}
		delete(body, "Marker")
	}
	context := object{"a": "b"}
	ciphertext := f.must("Encrypt", object{"KeyId": keyID, "Plaintext": []byte("x"), "EncryptionContext": context}).fields["CiphertextBlob"]
	requests["Decrypt"]["CiphertextBlob"] = ciphertext
	requests["ReEncrypt"]["CiphertextBlob"] = ciphertext
	for _, operation := range []string{"CreateAlias", "DeleteAlias", "UpdateAlias"} {
		requests[operation]["AliasName"] = "alias/" + operation + "/" + keyID
		if operation != "CreateAlias" {
			f.alias("alias/"+operation+"/"+keyID, keyID)
		}
	}
	requests["PutKeyPolicy"]["Policy"] = f.policy(keyID)
	return requests
}

// TestEveryAction denies one action after the other. The operation of that name is refused, and no other.
func TestEveryAction(t *testing.T) {
	f := newFixture(t, people)
	actions := []string{"ReEncryptFrom", "ReEncryptTo"}
	for _, operation := range localkms.Operations() {
		if operation != "ReEncrypt" {
			actions = append(actions, operation)
		}
	}
	for _, action := range actions {
		t.Run(action, func(t *testing.T) {
			f := f.in(t)
			keyID := f.policied("AWS_KMS", statement("Allow", alice, "kms:*"), statement("Deny", alice, "kms:"+action))
			requests := f.requestsFor(keyID)
			for _, operation := range localkms.Operations() {
				isDenied := (operation == action || operation == "ReEncrypt" && strings.HasPrefix(action, "ReEncrypt")) && !slices.Contains(ofIAM, operation)
				switch a := f.as("alice").call(operation, requests[operation].String()); {
				case isDenied:
					f.expect(a, "AccessDeniedException", explicitDeny(alice, "kms:"+action, arnOf(keyID)))
				case a.code == "AccessDeniedException":
					t.Errorf("%s: %s", operation, a.body)
				}
			}
		})
	}
}

// TestNoAction denies everything at once: only what IAM alone permits is left. Nothing that is refused has an effect.
func TestNoAction(t *testing.T) {
	f := newFixture(t, people)
	keyID := f.policied("AWS_KMS", statement("Allow", alice, "kms:*"), statement("Deny", alice, "kms:*"))
	requests := f.requestsFor(keyID)
	metadata, policy, aliases := f.metadata(keyID), f.policy(keyID), f.aliases(object{"KeyId": keyID})
	for operation, body := range requests {
		code := "AccessDeniedException"
		if slices.Contains(ofIAM, operation) {
			code = ""
		}
		f.expect(f.as("alice").call(operation, body.String()), code, "")
	}
	if diff := cmp.Diff(metadata, f.metadata(keyID)); diff != "" || f.policy(keyID) != policy {
		t.Errorf("refused operations changed the key (-before +after):\n%s", diff)
	}
	f.expectAliases(object{"KeyId": keyID}, aliases...)
	f.expectTags(keyID)
}

// TestDeniedBeforeAnythingElse shows the order: the request as such, whether there is a key, whether one may, and only
// then the state of the key and what it is for.
func TestDeniedBeforeAnythingElse(t *testing.T) {
	f := newFixture(t, people)
	for _, state := range []string{"Enabled", "Disabled", "PendingImport", "PendingDeletion"} {
		keyID := f.keyIn(state, bytesOf(1, 32))
		f.putPolicy(keyID, policyOf(statement("Allow", me, "kms:*")))
		for operation, body := range map[string]object{
			"Encrypt":                {"KeyId": keyID, "Plaintext": []byte("x")},
			"Sign":                   {"KeyId": keyID, "Message": []byte("x"), "SigningAlgorithm": "ECDSA_SHA_256"},
			"GetParametersForImport": {"KeyId": keyID, "WrappingAlgorithm": "SM2PKE", "WrappingKeySpec": "SM2"},
			"ImportKeyMaterial":      {"KeyId": keyID, "ImportToken": []byte("x"), "EncryptedKeyMaterial": []byte("x")},
			"CancelKeyDeletion":      {"KeyId": keyID},
			"EnableKey":              {"KeyId": keyID},
			"RotateKeyOnDemand":      {"KeyId": keyID},
			"PutKeyPolicy":           {"KeyId": keyID, "Policy": "{"},
			"TagResource":            {"KeyId": keyID, "Tags": tagsOf("aws:x", "")},
		} {
			f.expect(f.as("alice").call(operation, body.String()), "AccessDeniedException", noAllow(alice, "kms:"+operation, arnOf(keyID)))
		}
		f.expect(f.as("alice").call("Encrypt", object{"KeyId": keyID, "Plaintext": ""}.String()), "ValidationException", "")
	}
	f.expect(f.as("alice").call("DescribeKey", object{"KeyId": someKeyID}.String()), "NotFoundException", "")
}

// TestDecryptOfDeniedKey shows that a ciphertext is no way around the policy of the key that it is of.
func TestDecryptOfDeniedKey(t *testing.T) {
	f := newFixture(t, people)
	keyID := f.policied("AWS_KMS", statement("Allow", alice, "kms:Encrypt"))
	ciphertext := f.as("alice").must("Encrypt", object{"KeyId": keyID, "Plaintext": []byte("x")}).fields["CiphertextBlob"]
	for _, body := range []object{{"CiphertextBlob": ciphertext}, {"CiphertextBlob": ciphertext, "KeyId": keyID}} {
		f.expect(f.as("alice").call("Decrypt", body.String()), "AccessDeniedException", noAllow(alice, "kms:Decrypt", arnOf(keyID)))
	}
}

// TestDeniedImport is a policy that lacks kms:ImportKeyMaterial and nothing else: the documented way to keep a key from
// being imported again.
func TestDeniedImport(t *testing.T) {
	f := newFixture(t, people)
	material, expiring := bytesOf(1, 32), object{"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": start.Add(time.Hour).Unix()}
	all := []string{}
	for _, operation := range localkms.Operations() {
		if operation != "ImportKeyMaterial" {
			all = append(all, "kms:"+operation)
		}
	}
	for name, c := range map[string]struct {
		reason    string
		statement []object
		sentence  func(principal, action, resource string) string
	}{
		"not allowed": {reason: "all other actions are", statement: []object{statement("Allow", alice, append(all, "kms:ReEncrypt*")...)}, sentence: noAllow},
		"denied":      {reason: "the document's way", statement: []object{statement("Allow", alice, "kms:*"), statement("Deny", "*", "kms:ImportKeyMaterial")}, sentence: explicitDeny},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			keyID := f.policied("EXTERNAL", c.statement...)
			mine := f.as("alice")
			sentence := c.sentence(alice, "kms:ImportKeyMaterial", arnOf(keyID))
			refused := func(state string) {
				t.Helper()
				p := mine.fresh(keyID) // parameters there are
				body := importBody(keyID, p.token, p.wrap(t, material)).String()
				before := f.metadata(keyID)
				mine.expect(mine.call("ImportKeyMaterial", body), "AccessDeniedException", sentence)
				if diff := cmp.Diff(before, f.metadata(keyID)); diff != "" || before["KeyState"] != state {
					t.Errorf("%s: a refused import changed the key (-before +after):\n%s", state, diff)
				}
			}
			refused("PendingImport")

			// The key comes by its material under a policy that allows it, and the same token: the refusal did not use it up.
			p := mine.fresh(keyID)
			body := importBody(keyID, p.token, p.wrap(t, material))
			maps.Copy(body, expiring)
			mine.expect(mine.call("ImportKeyMaterial", body.String()), "AccessDeniedException", sentence)
			guarded := f.policy(keyID)
			f.putPolicy(keyID, allowAll)
			mine.must("ImportKeyMaterial", body)
			f.putPolicy(keyID, guarded)

			refused("Enabled")
			mine.must("Encrypt", object{"KeyId": keyID, "Plaintext": []byte("x")})
			mine.must("DisableKey", object{"KeyId": keyID})
			refused("Disabled")
			mine.must("EnableKey", object{"KeyId": keyID})
			f.clock.advance(time.Hour)
			refused("PendingImport") // expired, and not to be had back
			f.clock.advance(-time.Hour)
			mine.must("DeleteImportedKeyMaterial", object{"KeyId": keyID})
			refused("PendingImport")

			p = mine.fresh(keyID)
			mine.must("ScheduleKeyDeletion", object{"KeyId": keyID})
			mine.expect(mine.call("ImportKeyMaterial", importBody(keyID, p.token, p.wrap(t, material)).String()), "AccessDeniedException", sentence)
			f.expectState(keyID, "PendingDeletion")
			mine.must("CancelKeyDeletion", object{"KeyId": keyID})
			mine.must("PutKeyPolicy", object{"KeyId": keyID, "Policy": policyOf(statement("Allow", "*", "kms:*"))})
			f.expect(mine.importMaterial(keyID, material, nil), "", "")
		})
	}
}

// TestSplitDuties shows two principals import together: one gets the parameters, the other sends the material.
func TestSplitDuties(t *testing.T) {
	f := newFixture(t, people)
	keyID := f.policied("EXTERNAL", statement("Allow", alice, "kms:GetParametersForImport"), statement("Allow", bob, "kms:ImportKeyMaterial"))
	getParameters := object{"KeyId": keyID, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}.String()
	f.expect(f.as("bob").call("GetParametersForImport", getParameters), "AccessDeniedException", noAllow(bob, "kms:GetParametersForImport", arnOf(keyID)))
	p := f.as("alice").fresh(keyID)
	body := importBody(keyID, p.token, p.wrap(t, bytesOf(1, 32))).String()
	f.expect(f.as("alice").call("ImportKeyMaterial", body), "AccessDeniedException", noAllow(alice, "kms:ImportKeyMaterial", arnOf(keyID)))
	f.expect(f.as("bob").call("ImportKeyMaterial", body), "", "")
	f.expectState(keyID, "Enabled")
}

// TestConditions allows alice an operation under a condition. Each case is a request that it holds for or not.
func TestConditions(t *testing.T) {
	f := newFixture(t, people)
	seconds := func(d time.Duration) string { return fmt.Sprint(start.Add(d).Unix()) }
	const day = 24 * time.Hour
	condition := func(operator, key string, values ...string) object { return object{operator: object{key: values}} }
	parameters := func(algorithm, keySpec string) object {
		return object{"WrappingAlgorithm": algorithm, "WrappingKeySpec": keySpec}
	}
	expires := func(in time.Duration) object {
		return object{"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": start.Add(in).Unix()}
	}
	byDefault := func(in time.Duration) object {
		return object{"ExpirationModel": nil, "ValidTo": start.Add(in).Unix()}
	}
	const get, imports = "GetParametersForImport", "ImportKeyMaterial"
	for name, c := range map[string]struct {
		reason    string
		condition object
		deny      bool   // the condition is of a Deny beside an Allow
		origin    string // default EXTERNAL
		operation string
		request   object // for an import, what is beside token and material
		refused   bool
	}{
		"algorithm":                {reason: "as allowed", condition: condition("StringEquals", "kms:WrappingAlgorithm", "RSAES_OAEP_SHA_256"), operation: get, request: parameters("RSAES_OAEP_SHA_256", "RSA_2048")},
		"other algorithm":          {reason: "not allowed", condition: condition("StringEquals", "kms:WrappingAlgorithm", "RSAES_OAEP_SHA_256"), operation: get, request: parameters("RSAES_OAEP_SHA_1", "RSA_2048"), refused: true},
		"one of two algorithms":    {reason: "alternatives", condition: condition("StringEquals", "kms:WrappingAlgorithm", "RSAES_OAEP_SHA_256", "RSAES_OAEP_SHA_1"), operation: get, request: parameters("RSAES_OAEP_SHA_1", "RSA_2048")},
		"algorithms by pattern":    {reason: "StringLike", condition: condition("StringLike", "kms:WrappingAlgorithm", "*_SHA_256"), operation: get, request: parameters("RSAES_OAEP_SHA_1", "RSA_2048"), refused: true},
		"denied algorithm":         {reason: "a guard against the weaker hash", deny: true, condition: condition("StringLike", "kms:WrappingAlgorithm", "*_SHA_1"), operation: get, request: parameters("RSAES_OAEP_SHA_1", "RSA_2048"), refused: true},
		"algorithm beside denied":  {reason: "the guard lets others through", deny: true, condition: condition("StringLike", "kms:WrappingAlgorithm", "*_SHA_1"), operation: get, request: parameters("RSAES_OAEP_SHA_256", "RSA_2048")},
		"wrapping key spec":        {reason: "as allowed", condition: condition("StringEquals", "kms:WrappingKeySpec", "RSA_2048"), operation: get, request: parameters("RSAES_OAEP_SHA_256", "RSA_2048")},
		"other wrapping key spec":  {reason: "not allowed", condition: condition("StringEquals", "kms:WrappingKeySpec", "RSA_4096"), operation: get, request: parameters("RSAES_OAEP_SHA_256", "RSA_2048"), refused: true},
		"anything but":             {reason: "a negated operator", condition: condition("StringNotEquals", "kms:WrappingKeySpec", "RSA_2048"), operation: get, request: parameters("RSAES_OAEP_SHA_256", "RSA_2048"), refused: true},
		"both":                     {reason: "all must hold", condition: object{"StringEquals": object{"kms:WrappingKeySpec": "RSA_2048", "kms:WrappingAlgorithm": "RSAES_OAEP_SHA_1"}}, operation: get, request: parameters("RSAES_OAEP_SHA_1", "RSA_2048")},
		"one of both":              {reason: "all must hold", condition: object{"StringEquals": object{"kms:WrappingKeySpec": "RSA_2048", "kms:WrappingAlgorithm": "RSAES_OAEP_SHA_1"}}, operation: get, request: parameters("RSAES_OAEP_SHA_256", "RSA_2048"), refused: true},
		"algorithm of an import":   {reason: "an import does not say it", condition: condition("StringEquals", "kms:WrappingAlgorithm", "RSAES_OAEP_SHA_256"), operation: imports, refused: true},
		"model":                    {reason: "as allowed", condition: condition("StringEquals", "kms:ExpirationModel", "KEY_MATERIAL_DOES_NOT_EXPIRE"), operation: imports},
		"other model":              {reason: "not allowed", condition: condition("StringEquals", "kms:ExpirationModel", "KEY_MATERIAL_EXPIRES"), operation: imports, refused: true},
		"expiring model":           {reason: "as allowed", condition: condition("StringEquals", "kms:ExpirationModel", "KEY_MATERIAL_EXPIRES"), operation: imports, request: expires(day)},
		"model by default":         {reason: "what the request leaves out is KEY_MATERIAL_EXPIRES", condition: condition("StringEquals", "kms:ExpirationModel", "KEY_MATERIAL_EXPIRES"), operation: imports, request: byDefault(day)},
		"denied model":             {reason: "a guard against keys that stay", deny: true, condition: condition("StringEquals", "kms:ExpirationModel", "KEY_MATERIAL_DOES_NOT_EXPIRE"), operation: imports, refused: true},
		"model of the parameters":  {reason: "GetParametersForImport does not say it", condition: condition("StringEquals", "kms:ExpirationModel", "KEY_MATERIAL_EXPIRES"), operation: get, request: parameters("RSAES_OAEP_SHA_256", "RSA_2048"), refused: true},
		"date before":              {reason: "within what is allowed", condition: condition("NumericLessThanEquals", "kms:ValidTo", seconds(day)), operation: imports, request: expires(day)},
		"date behind":              {reason: "a second too late", condition: condition("NumericLessThanEquals", "kms:ValidTo", seconds(day)), operation: imports, request: expires(day + time.Second), refused: true},
		"date before ISO date":     {reason: "the developer guide's operator", condition: condition("DateLessThan", "kms:ValidTo", "2031-03-03T00:00:00Z"), operation: imports, request: expires(day)},
		"date behind ISO date":     {reason: "the developer guide's operator", condition: condition("DateLessThan", "kms:ValidTo", "2031-03-03T00:00:00Z"), operation: imports, request: expires(2 * day), refused: true},
		"exact date":               {reason: "epoch seconds", condition: condition("NumericEquals", "kms:ValidTo", seconds(day)), operation: imports, request: byDefault(day)},
		"no date":                  {reason: "an absent key does not match", condition: condition("NumericLessThanEquals", "kms:ValidTo", seconds(day)), operation: imports, refused: true},
		"no date needed":           {reason: "IfExists", condition: condition("NumericLessThanEqualsIfExists", "kms:ValidTo", seconds(day)), operation: imports},
		"a date needed":            {reason: "Null", deny: true, condition: condition("Null", "kms:ValidTo", "true"), operation: imports, refused: true},
		"the date that was needed": {reason: "Null", deny: true, condition: condition("Null", "kms:ValidTo", "true"), operation: imports, request: expires(day)},
		"origin of an import":      {reason: "the key's, not the request's", condition: condition("StringEquals", "kms:KeyOrigin", "EXTERNAL"), operation: imports},
		"other origin":             {reason: "not allowed", condition: condition("StringEquals", "kms:KeyOrigin", "AWS_KMS"), operation: imports, refused: true},
		"origin of a use":          {reason: "known whatever the operation", origin: "AWS_KMS", condition: condition("StringEquals", "kms:KeyOrigin", "AWS_KMS"), operation: "DescribeKey"},
		"other origin of a use":    {reason: "known whatever the operation", origin: "AWS_KMS", condition: condition("StringEquals", "kms:KeyOrigin", "EXTERNAL"), operation: "DescribeKey", refused: true},
		"case of the key":          {reason: "condition keys are not case-sensitive", condition: condition("StringEquals", "KMS:keyorigin", "EXTERNAL"), operation: imports},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			origin, conditional := "EXTERNAL", statement("Allow", alice, "kms:"+c.operation)
			if c.origin != "" {
				origin = c.origin
			}
			conditional["Condition"] = c.condition
			statements, sentence := []object{conditional}, noAllow
			if c.deny {
				conditional["Effect"], sentence = "Deny", explicitDeny
				statements = append(statements, statement("Allow", alice, "kms:*"))
			}
			keyID := f.policied(origin, statements...)
			request := object{"KeyId": keyID}
			if c.operation == imports {
				p := f.fresh(keyID)
				request = importBody(keyID, p.token, p.wrap(t, bytesOf(1, 32)))
			}
			maps.Copy(request, c.request)
			code, message := "", ""
			if c.refused {
				code, message = "AccessDeniedException", sentence(alice, "kms:"+c.operation, arnOf(keyID))
			}
			f.expect(f.as("alice").call(c.operation, request.String()), code, message)
			if imported := f.metadata(keyID)["KeyState"] == "Enabled"; c.operation == imports && imported == c.refused {
				t.Errorf("imported: %t", imported)
			}
		})
	}
}

// TestReEncryptActions shows that ReEncrypt takes kms:ReEncryptFrom on one key and kms:ReEncryptTo on the other.
func TestReEncryptActions(t *testing.T) {
	f := newFixture(t, people)
	both := []string{"kms:ReEncrypt*"}
	for name, c := range map[string]struct {
		reason   string
		from, to []string // the actions that alice has on each key
		refused  string   // the action that is missed
	}{
		"each its own":       {reason: "what is needed", from: []string{"kms:ReEncryptFrom"}, to: []string{"kms:ReEncryptTo"}},
		"both on both":       {reason: "as the guide's policies have it", from: both, to: both},
		"not from":           {reason: "the source", from: []string{"kms:ReEncryptTo"}, to: both, refused: "ReEncryptFrom"},
		"not to":             {reason: "the destination", from: both, to: []string{"kms:ReEncryptFrom"}, refused: "ReEncryptTo"},
		"decrypt, encrypt":   {reason: "other actions", from: []string{"kms:Decrypt"}, to: []string{"kms:Encrypt"}, refused: "ReEncryptFrom"},
		"the operation":      {reason: "there is no action of its name", from: []string{"kms:ReEncrypt"}, to: both, refused: "ReEncryptFrom"},
		"everything on from": {reason: "the destination still says no", from: []string{"kms:*"}, to: []string{"kms:Encrypt"}, refused: "ReEncryptTo"},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			from, to := f.policied("AWS_KMS", statement("Allow", alice, c.from...)), f.policied("AWS_KMS", statement("Allow", alice, c.to...))
			body := object{"CiphertextBlob": f.must("Encrypt", object{"KeyId": from, "Plaintext": []byte("plaintext")}).fields["CiphertextBlob"], "DestinationKeyId": to}
			for _, source := range []any{nil, from} {
				body["SourceKeyId"] = source
				a := f.as("alice").call("ReEncrypt", body.String())
				switch c.refused {
				case "":
					f.expect(a, "", "")
					opened := f.must("Decrypt", object{"CiphertextBlob": a.fields["CiphertextBlob"], "KeyId": to})
					if got := opened.blob(t, "Plaintext"); string(got) != "plaintext" {
						t.Errorf("re-encrypted to %q", got)
					}
				case "ReEncryptFrom":
					f.expect(a, "AccessDeniedException", noAllow(alice, "kms:ReEncryptFrom", arnOf(from)))
				case "ReEncryptTo":
					f.expect(a, "AccessDeniedException", noAllow(alice, "kms:ReEncryptTo", arnOf(to)))
				}
			}
		})
	}
}

// TestAliasActions shows that an alias is a matter of the keys it leaves and goes to.
func TestAliasActions(t *testing.T) {
	f := newFixture(t, people)
	open, closed := f.policied("AWS_KMS", statement("Allow", alice, "kms:*")), f.policied("AWS_KMS")
	f.alias("alias/open", open)
	f.alias("alias/closed", closed)
	refused := func(operation, name, keyID string) {
		t.Helper()
		f.expect(f.as("alice").call(operation, object{"AliasName": name, "TargetKeyId": keyID}.String()),
			"AccessDeniedException", noAllow(alice, "kms:"+operation, arnOf(closed)))
	}
	refused("CreateAlias", "alias/new", closed)
	refused("UpdateAlias", "alias/open", closed)
	refused("UpdateAlias", "alias/closed", open)
	refused("DeleteAlias", "alias/closed", "")
	f.expectAliases(object{"KeyId": open}, "alias/open")
	f.expectAliases(object{"KeyId": closed}, "alias/closed")
	f.expect(f.as("alice").call("Encrypt", object{"KeyId": "alias/closed", "Plaintext": []byte("x")}.String()),
		"AccessDeniedException", noAllow(alice, "kms:Encrypt", arnOf(closed)))
	f.as("alice").must("Encrypt", object{"KeyId": "alias/open", "Plaintext": []byte("x")})
	f.as("alice").expectAliases(object{"KeyId": closed}, "alias/closed") // the list is IAM's
	f.as("alice").must("DeleteAlias", object{"AliasName": "alias/open"})
}

// TestPoliciesOfReplicas shows that related keys have policies of their own.
func TestPoliciesOfReplicas(t *testing.T) {
	f := newFixture(t, people)
	keyID := f.multiRegionKey("eu-west-1")
	f.putPolicy(keyID, policyOf(statement("Allow", me, "kms:*")))
	f.expect(f.as("alice").call("DescribeKey", object{"KeyId": keyID}.String()), "AccessDeniedException", noAllow(alice, "kms:DescribeKey", arnOf(keyID)))
	f.as("alice").region("eu-west-1").must("DescribeKey", object{"KeyId": keyID})
}

// TestQKMSAuthorization shows the code and the ARNs of the other dialect.
func TestQKMSAuthorization(t *testing.T) {
	f := newFixture(t, qkms, func(o *localkms.Options) {
		o.Principals = []localkms.Principal{
			{AccessKeyID: "localkms", SecretAccessKey: "localkms"},
			{ARN: "arn:verenc:111122223333:user/alice", AccessKeyID: "alice", SecretAccessKey: "alice"},
		}
	})
	policy := policyOf(statement("Allow", "arn:verenc:111122223333:user/localkms", "kms:*"), statement("Allow", "arn:verenc:111122223333:user/alice", "kms:Get*"))
	keyID := f.must("CreateKey", object{"Origin": "EXTERNAL", "Policy": policy}).fields["KeyMetadata"].(map[string]any)["KeyId"].(string)
	f.as("alice").must("GetKeyPolicy", object{"KeyId": keyID})
	p := f.as("alice").qkmsParameters(keyID)
	f.expect(f.as("alice").call("ImportKeyMaterial", importBody(keyID, p.token, p.wrap(t, bytesOf(1, 32))).String()),
		"NotAuthorizedException", noAllow("arn:verenc:111122223333:user/alice", "kms:ImportKeyMaterial", verencARN(keyID)))
	f.expectState(keyID, "PendingImport")
	open := f.must("CreateKey", object{}).fields["KeyMetadata"].(map[string]any)["KeyId"].(string)
	f.as("alice").must("DescribeKey", object{"KeyId": open}) // the default policy is for everyone of the account
}
