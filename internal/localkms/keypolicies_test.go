package localkms_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	me     = "arn:aws:iam::111122223333:user/localkms" // who signs unless a test says otherwise
	nobody = "arn:aws:iam::111122223333:user/nobody"

	lockout = "The new key policy will not allow you to update the key policy in the future."
)

// statement is one of a key policy.
func statement(effect, principal string, actions ...string) object {
	return object{"Effect": effect, "Principal": object{"AWS": principal}, "Action": actions, "Resource": "*"}
}

// policyOf makes a key policy of statements.
func policyOf(statements ...object) string {
	return object{"Version": "2012-10-17", "Statement": statements}.String()
}

func (f *fixture) putPolicy(keyID, policy string) {
	f.t.Helper()
	f.must("PutKeyPolicy", object{"KeyId": keyID, "Policy": policy})
}

func (f *fixture) policy(keyID string) string {
	f.t.Helper()
	a := f.must("GetKeyPolicy", object{"KeyId": keyID})
	if a.fields["PolicyName"] != "default" {
		f.t.Errorf("PolicyName %v", a.fields["PolicyName"])
	}
	return a.fields["Policy"].(string)
}

// TestDefaultKeyPolicy shows the policy of keys that were given none: the one that AWS gives, which leaves everything to
// the account's IAM.
func TestDefaultKeyPolicy(t *testing.T) {
	f := newFixture(t)
	keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
	var got any
	if err := json.Unmarshal([]byte(f.policy(keyID)), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"Version": "2012-10-17", "Id": "key-default-1",
		"Statement": []any{map[string]any{
			"Sid": "Enable IAM User Permissions", "Effect": "Allow", "Principal": map[string]any{"AWS": "arn:aws:iam::111122223333:root"},
			"Action": "kms:*", "Resource": "*",
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("policy (-want +got):\n%s", diff)
	}
	f.putPolicy(keyID, f.policy(keyID)) // it is a policy that one can put
}

// TestKeyPolicy puts policies by each of the operations that take one. They come back as they were, to the blank.
func TestKeyPolicy(t *testing.T) {
	f := newFixture(t)
	first := "\n{ \"Version\": \"2012-10-17\",\t\"Statement\": [" + statement("Allow", me, "kms:*").String() + " ] }  \r\n"
	second := policyOf(statement("Allow", me, "kms:*"), statement("Allow", nobody, "kms:Describe*"))
	keyID := f.must("CreateKey", object{"Policy": first, "MultiRegion": true}).fields["KeyMetadata"].(map[string]any)["KeyId"].(string)
	if got := f.policy(arnOf(keyID)); got != first {
		t.Errorf("after CreateKey: %q", got)
	}
	if a := f.must("PutKeyPolicy", object{"KeyId": keyID, "PolicyName": "default", "Policy": second}); a.body != "" {
		t.Errorf("PutKeyPolicy answers %q", a.body)
	}
	if got := f.policy(keyID); got != second {
		t.Errorf("after PutKeyPolicy: %q", got)
	}
	if a := f.must("ReplicateKey", object{"KeyId": keyID, "ReplicaRegion": "eu-west-1", "Policy": first}); a.fields["ReplicaPolicy"] != first {
		t.Errorf("ReplicaPolicy %q", a.fields["ReplicaPolicy"])
	}
	if got := f.region("eu-west-1").policy(keyID); got != first {
		t.Errorf("after ReplicateKey: %q", got)
	}
	if got := f.policy(keyID); got != second {
		t.Errorf("the primary's after ReplicateKey: %q", got)
	}
	if a := f.must("ReplicateKey", object{"KeyId": keyID, "ReplicaRegion": "eu-west-2"}); !strings.Contains(a.fields["ReplicaPolicy"].(string), "Enable IAM User Permissions") {
		t.Errorf("a replica without a policy gets the default, not its primary's: %q", a.fields["ReplicaPolicy"])
	}
}

func TestListKeyPolicies(t *testing.T) {
	f := newFixture(t)
	keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
	for _, body := range []object{{"KeyId": keyID}, {"KeyId": arnOf(keyID), "Limit": 1}} {
		if a := f.must("ListKeyPolicies", body); a.body != `{"PolicyNames":["default"],"Truncated":false}` {
			t.Errorf("ListKeyPolicies: %s", a.body)
		}
	}
	f.expect(f.call("ListKeyPolicies", object{"KeyId": keyID, "Marker": "x"}.String()), "InvalidMarkerException", "")
	f.expect(f.call("ListKeyPolicies", object{"KeyId": someKeyID}.String()), "NotFoundException", "")
	for operation, body := range map[string]object{
		"GetKeyPolicy": {"KeyId": keyID, "PolicyName": "other"}, "PutKeyPolicy": {"KeyId": keyID, "PolicyName": "other", "Policy": allowAll},
	} {
		f.expect(f.call(operation, body.String()), "NotFoundException", "No such policy exists: a key policy is named default")
	}
}

// TestRefusedKeyPolicies tries each policy on the three operations that take one, and shows that none leaves a trace.
func TestRefusedKeyPolicies(t *testing.T) {
	f := newFixture(t)
	const malformed = "MalformedPolicyDocumentException"
	mine := statement("Allow", me, "kms:*")
	changed := func(name string, value any) string {
		s := statement("Allow", me, "kms:*")
		s[name] = value
		if value == nil {
			delete(s, name)
		}
		return policyOf(mine, s)
	}
	long := policyOf(mine)
	for name, c := range map[string]struct {
		reason  string
		policy  string
		code    string
		message string
	}{
		"longest":                {reason: "32,768 bytes", policy: long + strings.Repeat(" ", 32768-len(long))},
		"too long":               {reason: "a byte more", policy: long + strings.Repeat(" ", 32769-len(long)), code: "LimitExceededException", message: "A key policy can have 32768 bytes."},
		"too long in bytes":      {reason: "bytes, not characters", policy: strings.Replace(long, "{", "{\"Id\":\""+strings.Repeat("é", 16400)+"\",", 1), code: "LimitExceededException"},
		"empty":                  {reason: "no policy at all", policy: "", code: "ValidationException"},
		"blank":                  {reason: "not JSON", policy: " ", code: malformed},
		"not JSON":               {reason: "not JSON", policy: "x", code: malformed},
		"cut":                    {reason: "half of it", policy: policyOf(mine)[:40], code: malformed},
		"two":                    {reason: "one document", policy: policyOf(mine) + policyOf(mine), code: malformed},
		"null":                   {reason: "not an object", policy: "null", code: malformed},
		"list":                   {reason: "not an object", policy: "[]", code: malformed},
		"no statement":           {reason: "nothing said", policy: `{"Version":"2012-10-17"}`, code: malformed},
		"no statements":          {reason: "nothing said", policy: policyOf(), code: malformed},
		"other version":          {reason: "not one that there is", policy: strings.Replace(policyOf(mine), "2012", "2013", 1), code: malformed},
		"unknown element":        {reason: "a slip of the pen may mean anything", policy: changed("Actions", "kms:*"), code: malformed},
		"no effect":              {reason: "required", policy: changed("Effect", nil), code: malformed},
		"unknown effect":         {reason: "Allow or Deny", policy: changed("Effect", "allow"), code: malformed},
		"no principal":           {reason: "key policies say to whom", policy: changed("Principal", nil), code: malformed},
		"principal of no shape":  {reason: "not an ARN", policy: changed("Principal", object{"AWS": "someone"}), code: malformed},
		"principal with a star":  {reason: "wildcards stand alone", policy: changed("Principal", object{"AWS": "arn:aws:iam::111122223333:user/*"}), code: malformed},
		"no action":              {reason: "required", policy: changed("Action", nil), code: malformed},
		"action of no service":   {reason: "actions have a service", policy: changed("Action", "Encrypt"), code: malformed},
		"unknown operator":       {reason: "a condition that nobody can tell", policy: changed("Condition", object{"StringIs": object{"kms:KeyOrigin": "EXTERNAL"}}), code: malformed},
		"date of no shape":       {reason: "a condition that nobody can tell", policy: changed("Condition", object{"DateLessThan": object{"kms:ValidTo": "soon"}}), code: malformed},
		"someone else only":      {reason: "the caller is locked out", policy: policyOf(statement("Allow", nobody, "kms:*")), code: malformed, message: lockout},
		"all but the one action": {reason: "the caller is locked out", policy: policyOf(statement("Allow", me, "kms:Get*", "kms:Create*")), code: malformed, message: lockout},
		"denied":                 {reason: "a Deny outweighs every Allow", policy: policyOf(mine, statement("Deny", "*", "kms:Put*")), code: malformed, message: lockout},
		"another key":            {reason: "Resource is not this key", policy: strings.Replace(policyOf(mine), `"Resource":"*"`, `"Resource":"`+arnOf(someKeyID)+`"`, 1), code: malformed, message: lockout},
		"other origin":           {reason: "the condition does not hold for this key", policy: policyOf(object{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": object{"StringEquals": object{"kms:KeyOrigin": "AWS_CLOUDHSM"}}}), code: malformed, message: lockout},
		"the account":            {reason: "it stands for everyone in it", policy: policyOf(statement("Allow", "arn:aws:iam::111122223333:root", "kms:*"))},
		"the account's ID":       {reason: "the same", policy: policyOf(statement("Allow", "111122223333", "kms:*"))},
		"the one action":         {reason: "enough to replace the policy", policy: policyOf(statement("Allow", me, "kms:PutKeyPolicy"))},
		"every key":              {reason: "Resource is a pattern that this key fits", policy: strings.Replace(policyOf(mine), `"Resource":"*"`, `"Resource":"arn:aws:kms:*:111122223333:key/*"`, 1)},
		"this origin":            {reason: "the condition holds", policy: policyOf(object{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": object{"StringEquals": object{"kms:KeyOrigin": "EXTERNAL"}}})},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
			before := f.policy(keyID)
			a := f.call("PutKeyPolicy", object{"KeyId": keyID, "Policy": c.policy}.String())
			f.expect(a, c.code, c.message)
			if c.code != "" && (f.policy(keyID) != before || a.message == "") {
				t.Errorf("refused with %q, policy now %q", a.message, f.policy(keyID))
			}
			listed := f.must("ListKeys", object{"Limit": 1000}).body
			f.expect(f.call("CreateKey", object{"Policy": c.policy, "Origin": "EXTERNAL"}.String()), c.code, c.message)
			if c.code != "" && f.must("ListKeys", object{"Limit": 1000}).body != listed {
				t.Error("a refused CreateKey leaves a key")
			}
			replicate := object{"KeyId": f.multiRegionKey(), "ReplicaRegion": "eu-west-1", "Policy": c.policy}
			f.expect(f.call("ReplicateKey", replicate.String()), c.code, c.message)
			delete(replicate, "Policy")
			if c.code != "" {
				f.must("ReplicateKey", replicate) // there is none yet
			}
		})
	}
}

// TestPolicyOfOneKey shows that a policy may name its key where others write *.
func TestPolicyOfOneKey(t *testing.T) {
	f := newFixture(t)
	keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
	f.putPolicy(keyID, strings.Replace(policyOf(statement("Allow", me, "kms:*")), `"Resource":"*"`, `"Resource":"`+arnOf(keyID)+`"`, 1))
	f.must("Encrypt", object{"KeyId": keyID, "Plaintext": []byte("x")})
}

// TestBypassedSafetyCheck shows what the check is for: the caller who bypasses it cannot go back.
func TestBypassedSafetyCheck(t *testing.T) {
	f := newFixture(t)
	locked := policyOf(statement("Allow", nobody, "kms:*"), statement("Allow", me, "kms:ReplicateKey", "kms:GetKeyPolicy"))
	replace := func(f *fixture, keyID string) {
		t.Helper()
		f.expect(f.call("PutKeyPolicy", object{"KeyId": keyID, "Policy": allowAll, "BypassPolicyLockoutSafetyCheck": true}.String()), "AccessDeniedException", "")
		if got := f.policy(keyID); got != locked {
			t.Errorf("policy %q", got)
		}
	}
	put := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
	request := object{"KeyId": put, "Policy": locked, "BypassPolicyLockoutSafetyCheck": false}
	f.expect(f.call("PutKeyPolicy", request.String()), "MalformedPolicyDocumentException", lockout)
	request["BypassPolicyLockoutSafetyCheck"] = true
	f.must("PutKeyPolicy", request)
	replace(f, put)

	bypassed := object{"Policy": locked, "BypassPolicyLockoutSafetyCheck": true, "MultiRegion": true}
	created := f.must("CreateKey", bypassed).fields["KeyMetadata"].(map[string]any)["KeyId"].(string)
	replace(f, created)
	f.must("ReplicateKey", object{"KeyId": created, "ReplicaRegion": "eu-west-1", "Policy": locked, "BypassPolicyLockoutSafetyCheck": true})
	f.clock.advance(2e9) // until the replica is there
	replace(f.region("eu-west-1"), created)

	request["Policy"] = "{}"
	f.expect(f.call("CreateKey", request.String()), "MalformedPolicyDocumentException", "policy: Version is missing") // the check is of lockouts only
}

// TestKeyPolicyByState shows that a policy can be read and put in every state.
func TestKeyPolicyByState(t *testing.T) {
	f := newFixture(t)
	for _, state := range []string{"Enabled", "Disabled", "PendingImport", "PendingDeletion"} {
		keyID := f.keyIn(state, bytesOf(1, 32))
		f.putPolicy(keyID, allowAll)
		if got := f.policy(keyID); got != allowAll {
			t.Errorf("%s: %s", state, got)
		}
		f.must("ListKeyPolicies", object{"KeyId": keyID})
		f.expectState(keyID, state)
	}
}
