package policy_test

import (
	"strings"
	"testing"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/policy"
)

// FuzzParse reads any text. Nothing panics; an error is a sentence of bounded length; what parses answers every
// request, the same one twice alike, and a policy without Allow never allows.
func FuzzParse(f *testing.F) {
	f.Add(policy.Default(root), alice, "kms:Decrypt", "1546257599")
	f.Add(withStatements(allowing(`"Principal":{"AWS":["`+role+`","111122223333"]},"Condition":{"NumericLessThanEquals":{"kms:ValidTo":"1546257599.0"}}`)), session, "kms:ImportKeyMaterial", "x")
	f.Add(withStatements(denying(`"NotPrincipal":{"AWS":"`+session+`"},"NotAction":"kms:G*t?","NotResource":"arn:*:kms:*"`)), root, "", "")
	f.Add(withStatements(denying(`"Condition":{"ForAnyValue:ArnLikeIfExists":{"aws:PrincipalArn":"arn:aws:iam::*:user/*"},"Null":{"kms:ValidTo":true},"DateEquals":{"kms:ValidTo":["2018-12","1e9"]},"Bool":{"kms:ValidTo":false},"IpAddress":{"kms:ValidTo":"::1/3"},"BinaryEquals":{"kms:ValidTo":"QQ=="}}`)), "someone", "*", "2018-12-31")
	f.Add(`{"Version":"2008-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"*","Action":1}}`, "", "", "")
	f.Add(strings.Repeat(`{"Statement":[`, 200), "", "", "")
	f.Fuzz(func(t *testing.T, text, principal, action, value string) {
		document, err := policy.Parse(text)
		if err != nil {
			if document != nil || err.Error() == "" || len(err.Error()) > 2000 {
				t.Errorf("document %v, error of %d bytes", document, len(err.Error()))
			}
			return
		}
		request := policy.Request{
			Principal: principal, Action: action, Resource: key,
			Context: map[string]string{"kms:ValidTo": value, "aws:PrincipalArn": principal},
		}
		decision := document.Evaluate(request)
		if again := document.Evaluate(request); again != decision {
			t.Errorf("%v, then %v", decision, again)
		}
		if decision == policy.Allowed && !strings.Contains(text, "Allow") && !strings.Contains(text, `\u`) {
			t.Errorf("allowed by %s", text)
		}
	})
}
