package policy_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/policy"
)

const (
	alice   = "arn:aws:iam::111122223333:user/alice"
	bob     = "arn:aws:iam::111122223333:user/team/bob"
	role    = "arn:aws:iam::111122223333:role/path/importer"
	session = "arn:aws:sts::111122223333:assumed-role/importer/monday"
	root    = "arn:aws:iam::111122223333:root"
	other   = "arn:aws:iam::444455556666:user/alice"
	key     = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
)

func mustParse(t testing.TB, text string) *policy.Document {
	t.Helper()
	document, err := policy.Parse(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return document
}

// withStatements is a policy of these statements.
func withStatements(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// allowing is a statement that allows everything to everyone; elements are added, or replace one of the same name.
func allowing(elements ...string) string {
	return statement(append([]string{`"Effect":"Allow"`}, elements...))
}

func denying(elements ...string) string {
	return statement(append([]string{`"Effect":"Deny"`}, elements...))
}

func statement(elements []string) string {
	all := strings.Join(elements, ",")
	for _, element := range []string{"Principal", "Action", "Resource"} {
		if !strings.Contains(all, element+`":`) {
			all += `,"` + element + `":"*"`
		}
	}
	return "{" + all + "}"
}

func TestParseAccepts(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		text   string
	}{
		"default":           {reason: "what AWS itself writes", text: policy.Default(root)},
		"older version":     {reason: "both versions of the language", text: `{"Version":"2008-10-17","Statement":` + allowing() + `}`},
		"single statement":  {reason: "one value needs no brackets", text: `{"Version":"2012-10-17","Statement":` + allowing() + `}`},
		"Id and Sid":        {reason: "a Sid of a key policy may have blanks", text: `{"Version":"2012-10-17","Id":"a b","Statement":[` + allowing(`"Sid":"Allow use of the key"`) + `]}`},
		"any order":         {reason: "blocks can appear in any order", text: `{"Statement":[{"Resource":"*","Condition":{},"Action":"*","Principal":"*","Effect":"Allow"}],"Version":"2012-10-17"}`},
		"white space":       {reason: "JSON's, all of it", text: "\r\n\t" + withStatements(allowing()) + "\n"},
		"Latin-1":           {reason: "the characters of the Latin-1 supplement are allowed", text: withStatements(allowing(`"Sid":"Schlüssel ÿ"`))},
		"without Resource":  {reason: "KMS accepts it, and gives it no effect", text: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*"}}`},
		"NotResource":       {reason: "in the grammar", text: withStatements(denying(`"NotResource":"` + key + `"`))},
		"service principal": {reason: "accepted, though none ever calls", text: withStatements(allowing(`"Principal":{"Service":["s3.amazonaws.com","rds.amazonaws.com"]}`))},
		"other principals":  {reason: "the four kinds of the grammar", text: withStatements(allowing(`"Principal":{"Federated":"cognito-identity.amazonaws.com","CanonicalUser":"79a59d","AWS":"111122223333"}`))},
		"actions of others": {reason: "names are not checked against a list", text: withStatements(allowing(`"Action":["s3:GetObject","KMS:Nothing","kms:*Key?","*"]`))},
		"unknown keys":      {reason: "they are absent from the request", text: withStatements(allowing(`"Condition":{"StringEquals":{"kms:EncryptionContext:App":"x","aws:SourceVpce":["a","b"]}}`))},
		"bare values":       {reason: "quotation marks are optional for numbers and Booleans", text: withStatements(allowing(`"Condition":{"Bool":{"kms:MultiRegion":false},"NumericEquals":{"kms:ValidTo":1546257599.0}}`))},
		"variable in 2008":  {reason: "literal text in that version", text: `{"Version":"2008-10-17","Statement":` + allowing(`"Condition":{"StringEquals":{"aws:username":"${aws:username}"}}`) + `}`},
		"variable in Sid":   {reason: "a Sid is text", text: withStatements(allowing(`"Sid":"${aws:username}"`))},
	} {
		t.Run(name, func(t *testing.T) { mustParse(t, c.text) })
	}
}

// TestParseRefuses checks the sentence whole: it reaches people.
func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		text   string
		err    string
	}{
		"empty":               {reason: "no document", text: "", err: `policy: not JSON at byte 0: unexpected end of JSON input`},
		"not JSON":            {reason: "a name where a policy should be", text: `default`, err: `policy: not JSON at byte 1: invalid character 'd' looking for beginning of value`},
		"two documents":       {reason: "one is taken", text: withStatements(allowing()) + `{}`, err: `policy: not JSON at byte 102: invalid character '{' after top-level value`},
		"control character":   {reason: "only tab, line feed and carriage return", text: "{\v}", err: `policy: the character U+000B at byte 1 is not allowed`},
		"beyond Latin-1":      {reason: "the last character is U+00FF", text: `{"Id":"€"}`, err: `policy: the character U+20AC at byte 7 is not allowed`},
		"array":               {reason: "a policy is an object", text: `[]`, err: `policy: must be an object`},
		"unknown element":     {reason: "a misspelt one would be lost", text: `{"Version":"2012-10-17","Statements":[]}`, err: `Statements: unknown element; there are Version, Id, Statement`},
		"element twice":       {reason: "the grammar forbids it", text: `{"Version":"2012-10-17","Version":"2012-10-17"}`, err: `Version: is there twice`},
		"no version":          {reason: "required in a key policy", text: `{"Statement":[]}`, err: `policy: Version is missing`},
		"other version":       {reason: "there are two", text: `{"Version":"2024-01-01","Statement":[]}`, err: `Version: must be "2012-10-17" or "2008-10-17", not "2024-01-01"`},
		"version a number":    {reason: "a string", text: `{"Version":2012,"Statement":[]}`, err: `Version: must be a string`},
		"Id null":             {reason: "a string", text: `{"Version":"2012-10-17","Id":null,"Statement":[]}`, err: `Id: must be a string`},
		"no statement":        {reason: "required", text: `{"Version":"2012-10-17"}`, err: `policy: Statement is missing`},
		"statements empty":    {reason: "at least one", text: `{"Version":"2012-10-17","Statement":[]}`, err: `Statement: there must be at least one statement`},
		"statement a string":  {reason: "an object", text: withStatements(`"x"`), err: `Statement[0]: must be an object`},
		"single, wrong":       {reason: "named without an index, as it is written", text: `{"Version":"2012-10-17","Statement":{"Effect":"Allow"}}`, err: `Statement: Principal is missing`},
		"misspelt element":    {reason: "else the condition would be lost", text: withStatements(allowing(), allowing(`"Conditions":{}`)), err: `Statement[1].Conditions: unknown element; there are Sid, Effect, Principal, NotPrincipal, Action, NotAction, Resource, NotResource, Condition`},
		"Sid a number":        {reason: "a string", text: withStatements(allowing(`"Sid":1`)), err: `Statement[0].Sid: must be a string`},
		"no effect":           {reason: "required", text: withStatements(`{"Principal":"*","Action":"*","Resource":"*"}`), err: `Statement[0]: Effect is missing`},
		"bad effect":          {reason: "case counts", text: withStatements(`{"Effect":"allow"}`), err: `Statement[0].Effect: must be "Allow" or "Deny", not "allow"`},
		"effect a list":       {reason: "one", text: withStatements(`{"Effect":["Allow"]}`), err: `Statement[0].Effect: must be a string`},
		"both principals":     {reason: "they exclude each other", text: withStatements(denying(`"Principal":"*","NotPrincipal":"*"`)), err: `Statement[0]: Principal and NotPrincipal exclude each other`},
		"NotPrincipal Allow":  {reason: "AWS does not support it", text: withStatements(allowing(`"NotPrincipal":"*"`)), err: `Statement[0].NotPrincipal: must be used with "Effect": "Deny"`},
		"principal an ARN":    {reason: "only * stands without its kind", text: withStatements(allowing(`"Principal":"` + alice + `"`)), err: `Statement[0].Principal: must be an object`},
		"principal empty":     {reason: "each statement names one", text: withStatements(allowing(`"Principal":{}`)), err: `Statement[0].Principal: must name a principal`},
		"principal list":      {reason: "each statement names one", text: withStatements(allowing(`"Principal":{"AWS":[]}`)), err: `Statement[0].Principal.AWS: must hold at least one value`},
		"unknown kind":        {reason: "four are known", text: withStatements(allowing(`"Principal":{"Aws":"*"}`)), err: `Statement[0].Principal.Aws: unknown element; there are AWS, Service, Federated, CanonicalUser`},
		"service a number":    {reason: "checked though it matches nobody", text: withStatements(allowing(`"Principal":{"Service":1}`)), err: `Statement[0].Principal.Service: must be a string`},
		"wildcard in ARN":     {reason: "a principal names one", text: withStatements(allowing(`"Principal":{"AWS":["*","arn:aws:iam::111122223333:user/*"]}`)), err: `Statement[0].Principal.AWS[1]: invalid principal "arn:aws:iam::111122223333:user/*": a wildcard can only stand alone, as "*"`},
		"group":               {reason: "groups authenticate nobody", text: withStatements(allowing(`"Principal":{"AWS":"arn:aws:iam::111122223333:group/g"}`)), err: `Statement[0].Principal.AWS: invalid principal "arn:aws:iam::111122223333:group/g": there are account IDs and the ARNs of accounts, users, roles, assumed roles and federated users`},
		"both actions":        {reason: "they exclude each other", text: withStatements(allowing(`"Action":"*","NotAction":"*"`)), err: `Statement[0]: Action and NotAction exclude each other`},
		"no action":           {reason: "required", text: withStatements(`{"Effect":"Allow","Principal":"*","Resource":"*"}`), err: `Statement[0]: Action is missing`},
		"actions empty":       {reason: "at least one", text: withStatements(allowing(`"Action":[]`)), err: `Statement[0].Action: must hold at least one value`},
		"no vendor":           {reason: "a bare name means nothing", text: withStatements(allowing(`"Action":["kms:Decrypt","Decrypt"]`)), err: `Statement[0].Action[1]: must be "*" or start with a service, as in "kms:Decrypt", not "Decrypt"`},
		"empty vendor":        {reason: "a bare name means nothing", text: withStatements(allowing(`"Action":":Decrypt"`)), err: `Statement[0].Action: must be "*" or start with a service, as in "kms:Decrypt", not ":Decrypt"`},
		"wildcard vendor":     {reason: "wildcards are for the name", text: withStatements(allowing(`"NotAction":"k*:Decrypt"`)), err: `Statement[0].NotAction: must be "*" or start with a service, as in "kms:Decrypt", not "k*:Decrypt"`},
		"resource no ARN":     {reason: "a key ID means nothing", text: withStatements(allowing(`"Resource":"1234abcd"`)), err: `Statement[0].Resource: must be "*" or an ARN, not "1234abcd"`},
		"resources nested":    {reason: "a flat list", text: withStatements(allowing(`"Resource":[["*"]]`)), err: `Statement[0].Resource[0]: must be a string`},
		"resource variable":   {reason: "its value would be taken for itself", text: withStatements(allowing(`"Resource":"arn:aws:kms:*:*:key/${aws:username}"`)), err: `Statement[0].Resource: policy variables such as "arn:aws:kms:*:*:key/${aws:username}" are not supported`},
		"condition a list":    {reason: "an object", text: withStatements(allowing(`"Condition":[]`)), err: `Statement[0].Condition: must be an object`},
		"unknown operator":    {reason: "a misspelt one would be lost", text: withStatements(allowing(`"Condition":{"StringMatches":{"kms:KeyOrigin":"EXTERNAL"}}`)), err: `Statement[0].Condition.StringMatches: unknown condition operator`},
		"unknown order":       {reason: "of a known family", text: withStatements(allowing(`"Condition":{"NumericLess":{"kms:ValidTo":"1"}}`)), err: `Statement[0].Condition.NumericLess: unknown condition operator`},
		"operator's case":     {reason: "names of operators are case-sensitive", text: withStatements(allowing(`"Condition":{"stringequals":{"kms:KeyOrigin":"EXTERNAL"}}`)), err: `Statement[0].Condition.stringequals: unknown condition operator`},
		"prefix alone":        {reason: "no operator", text: withStatements(allowing(`"Condition":{"ForAnyValue:":{"kms:KeyOrigin":"EXTERNAL"}}`)), err: `Statement[0].Condition.ForAnyValue:: unknown condition operator`},
		"NullIfExists":        {reason: "AWS excludes it", text: withStatements(allowing(`"Condition":{"NullIfExists":{"kms:ValidTo":"true"}}`)), err: `Statement[0].Condition.NullIfExists: Null takes neither a set operator nor IfExists`},
		"Null of a set":       {reason: "it asks for the key, not for values", text: withStatements(allowing(`"Condition":{"ForAllValues:Null":{"kms:ValidTo":"true"}}`)), err: `Statement[0].Condition.ForAllValues:Null: Null takes neither a set operator nor IfExists`},
		"keys a string":       {reason: "an object", text: withStatements(allowing(`"Condition":{"Bool":"true"}`)), err: `Statement[0].Condition.Bool: must be an object`},
		"key without service": {reason: "none is called so", text: withStatements(allowing(`"Condition":{"StringEquals":{"KeyOrigin":"EXTERNAL"}}`)), err: `Statement[0].Condition.StringEquals.KeyOrigin: a condition key must start with a service, as in "kms:ValidTo"`},
		"no values":           {reason: "at least one", text: withStatements(allowing(`"Condition":{"StringEquals":{"kms:KeyOrigin":[]}}`)), err: `Statement[0].Condition.StringEquals.kms:KeyOrigin: must hold at least one value`},
		"value null":          {reason: "Null is an operator", text: withStatements(allowing(`"Condition":{"StringEquals":{"kms:KeyOrigin":null}}`)), err: `Statement[0].Condition.StringEquals.kms:KeyOrigin: must be a string, a number or a Boolean`},
		"no number":           {reason: "never true", text: withStatements(allowing(`"Condition":{"NumericLessThan":{"kms:ValidTo":[1,"soon"]}}`)), err: `Statement[0].Condition.NumericLessThan.kms:ValidTo[1]: must be a number, not "soon"`},
		"infinite":            {reason: "not a decimal number", text: withStatements(allowing(`"Condition":{"NumericLessThan":{"kms:ValidTo":"inf"}}`)), err: `Statement[0].Condition.NumericLessThan.kms:ValidTo: must be a number, not "inf"`},
		"no date":             {reason: "never true", text: withStatements(allowing(`"Condition":{"DateLessThan":{"kms:ValidTo":"2027-13-01"}}`)), err: `Statement[0].Condition.DateLessThan.kms:ValidTo: must be a date and time in ISO 8601, or epoch seconds, not "2027-13-01"`},
		"year alone":          {reason: "a year to one reader and 1970 to another", text: withStatements(allowing(`"Condition":{"DateLessThan":{"kms:ValidTo":"2027"}}`)), err: `Statement[0].Condition.DateLessThan.kms:ValidTo: must be a date and time in ISO 8601, or epoch seconds, not "2027"`},
		"no Boolean":          {reason: "two values", text: withStatements(allowing(`"Condition":{"Bool":{"kms:MultiRegion":"yes"}}`)), err: `Statement[0].Condition.Bool.kms:MultiRegion: must be "true" or "false", not "yes"`},
		"Null no Boolean":     {reason: "two values", text: withStatements(allowing(`"Condition":{"Null":{"kms:ValidTo":"null"}}`)), err: `Statement[0].Condition.Null.kms:ValidTo: must be "true" or "false", not "null"`},
		"no base64":           {reason: "never true", text: withStatements(allowing(`"Condition":{"BinaryEquals":{"kms:x":"#"}}`)), err: `Statement[0].Condition.BinaryEquals.kms:x: must be base64, not "#"`},
		"no range":            {reason: "never true", text: withStatements(allowing(`"Condition":{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/33"}}`)), err: `Statement[0].Condition.NotIpAddress.aws:SourceIp: must be an IP address or a range of them, not "203.0.113.0/33"`},
		"short ARN":           {reason: "a wildcard does not reach over a colon", text: withStatements(allowing(`"Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*"}}`)), err: `Statement[0].Condition.ArnLike.aws:PrincipalArn: must be an ARN with all of its parts, not "arn:aws:iam::*"`},
		"condition variable":  {reason: "its value would be taken for itself", text: withStatements(allowing(`"Condition":{"StringNotLike":{"aws:PrincipalArn":"*/${aws:username}"}}`)), err: `Statement[0].Condition.StringNotLike.aws:PrincipalArn: policy variables such as "*/${aws:username}" are not supported`},
		"long value":          {reason: "an error quotes the beginning", text: withStatements(allowing(`"Action":"` + strings.Repeat("x", 100) + `"`)), err: `Statement[0].Action: must be "*" or start with a service, as in "kms:Decrypt", not "` + strings.Repeat("x", 60) + `"`},
		"long name":           {reason: "a path is bounded too", text: withStatements(`{"` + strings.Repeat("x", 100) + `":1}`), err: `Statement[0].` + strings.Repeat("x", 60) + `: unknown element; there are Sid, Effect, Principal, NotPrincipal, Action, NotAction, Resource, NotResource, Condition`},
	} {
		t.Run(name, func(t *testing.T) {
			document, err := policy.Parse(c.text)
			if err == nil {
				t.Fatalf("accepted: %s\n%s", c.text, c.reason)
			}
			if diff := cmp.Diff(c.err, err.Error()); diff != "" || document != nil {
				t.Errorf("document %v, error (-want +got):\n%s", document, diff)
			}
		})
	}
}

func TestDefault(t *testing.T) {
	const recorded = `{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::111122223333:root"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}`
	if diff := cmp.Diff(recorded, policy.Default("arn:aws:iam::111122223333:root")); diff != "" {
		t.Errorf("unlike AWS's page (-want +got):\n%s", diff)
	}
	for name, c := range map[string]struct {
		reason  string
		account string
		caller  string
		want    policy.Decision
	}{
		"own":           {reason: "delegated to the account's IAM, which allows", account: root, caller: alice, want: policy.Allowed},
		"foreign":       {reason: "another account", account: root, caller: other, want: policy.NoAllow},
		"QKMS, own":     {reason: "QKMS's way to write an account", account: "arn:verenc:111122223333:root", caller: "arn:verenc:111122223333:user/alice", want: policy.Allowed},
		"QKMS, mixed":   {reason: "an account is one whatever the ARN; QKMS's pages mix them", account: "arn:verenc:111122223333:root", caller: alice, want: policy.Allowed},
		"QKMS, foreign": {reason: "another account", account: "arn:verenc:444455556666:root", caller: alice, want: policy.NoAllow},
	} {
		t.Run(name, func(t *testing.T) {
			got := mustParse(t, policy.Default(c.account)).Evaluate(policy.Request{Principal: c.caller, Action: "kms:PutKeyPolicy", Resource: key})
			if got != c.want {
				t.Errorf("%v, want %v: %s", got, c.want, c.reason)
			}
		})
	}
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	document := mustParse(t, withStatements(allowing(`"Condition":{"StringLike":{"kms:KeyOrigin":"E*"},"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/*"}}`)))
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			request := policy.Request{Principal: alice, Action: "kms:Decrypt", Resource: key, Context: map[string]string{"kms:KeyOrigin": "EXTERNAL", "aws:PrincipalArn": alice}}
			if got := document.Evaluate(request); got != policy.Allowed {
				t.Errorf("%v", got)
			}
		})
	}
	group.Wait()
}
