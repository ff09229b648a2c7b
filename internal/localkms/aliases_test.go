package localkms_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/google/go-cmp/cmp"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

func aliasARNOf(name string) string { return "arn:aws:kms:us-east-1:111122223333:" + name }

func (f *fixture) alias(name, keyID string) {
	f.t.Helper()
	f.must("CreateAlias", object{"AliasName": name, "TargetKeyId": keyID})
}

// aliases are the names that ListAliases shows, in its order.
func (f *fixture) aliases(request object) []string {
	f.t.Helper()
	names := []string{}
	for _, entry := range f.must("ListAliases", request).fields["Aliases"].([]any) {
		names = append(names, entry.(map[string]any)["AliasName"].(string))
	}
	return names
}

func (f *fixture) expectAliases(request object, want ...string) {
	f.t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), f.aliases(request)); diff != "" {
		f.t.Errorf("ListAliases %s (-want +got):\n%s", request, diff)
	}
}

// TestAlias is the life of an alias: made, used, given to another key, deleted.
func TestAlias(t *testing.T) {
	f := newFixture(t)
	first, second := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS"), f.importedKey("SYMMETRIC_DEFAULT", bytesOf(1, 32))
	expectTarget := func(keyID string) {
		t.Helper()
		for _, ref := range []string{"alias/a", aliasARNOf("alias/a")} {
			if got := f.metadata(ref)["KeyId"]; got != keyID {
				t.Errorf("%s is %v, want %s", ref, got, keyID)
			}
		}
	}
	if a := f.must("CreateAlias", object{"AliasName": "alias/a", "TargetKeyId": first}); a.body != "" {
		t.Errorf("CreateAlias answers %q", a.body)
	}
	expectTarget(first)
	ciphertext := f.must("Encrypt", object{"KeyId": "alias/a", "Plaintext": []byte("x")}).fields["CiphertextBlob"]

	f.clock.advance(time.Hour)
	if a := f.must("UpdateAlias", object{"AliasName": "alias/a", "TargetKeyId": arnOf(second)}); a.body != "" {
		t.Errorf("UpdateAlias answers %q", a.body)
	}
	expectTarget(second)
	entry := map[string]any{
		"AliasName": "alias/a", "AliasArn": aliasARNOf("alias/a"), "TargetKeyId": second,
		"CreationDate": float64(start.Unix()), "LastUpdatedDate": float64(start.Add(time.Hour).Unix()),
	}
	want := map[string]any{"Aliases": []any{entry}, "Truncated": false}
	if diff := cmp.Diff(want, f.must("ListAliases", object{}).fields); diff != "" {
		t.Errorf("ListAliases (-want +got):\n%s", diff)
	}
	f.must("Decrypt", object{"CiphertextBlob": ciphertext}) // says itself which key it is of
	f.expect(f.call("Decrypt", object{"CiphertextBlob": ciphertext, "KeyId": "alias/a"}.String()), "IncorrectKeyException", "")

	if a := f.must("DeleteAlias", object{"AliasName": "alias/a"}); a.body != "" {
		t.Errorf("DeleteAlias answers %q", a.body)
	}
	f.expectAliases(object{})
	gone := "Alias arn:aws:kms:us-east-1:111122223333:alias/a is not found."
	for operation, body := range map[string]object{
		"DescribeKey": {"KeyId": "alias/a"}, "Encrypt": {"KeyId": aliasARNOf("alias/a"), "Plaintext": []byte("x")},
		"UpdateAlias": {"AliasName": "alias/a", "TargetKeyId": first}, "DeleteAlias": {"AliasName": "alias/a"},
	} {
		f.expect(f.call(operation, body.String()), "NotFoundException", gone)
	}
	f.expectState(second, "Enabled") // the key outlives its name
}

// TestAliasesByOperation shows where the name and the ARN of an alias stand for its key, and that nowhere else they do.
func TestAliasesByOperation(t *testing.T) {
	f := newFixture(t)
	f.alias("alias/symmetric", f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS"))
	f.alias("alias/hmac", f.createKey("HMAC_256", "AWS_KMS"))
	f.alias("alias/signing", f.createKey("ECC_NIST_P256", "AWS_KMS"))
	f.alias("alias/agreement", f.createKeyFor("ECC_NIST_P256", "AWS_KMS", "KEY_AGREEMENT"))
	message, mac, signing := []byte("message"), object{"MacAlgorithm": "HMAC_SHA_256"}, object{"SigningAlgorithm": "ECDSA_SHA_256"}
	with := func(o object, extra object) object {
		o = maps.Clone(o)
		maps.Copy(o, extra)
		return o
	}
	ciphertext := f.must("Encrypt", object{"KeyId": "alias/symmetric", "Plaintext": message}).fields["CiphertextBlob"]
	tag := f.must("GenerateMac", with(mac, object{"KeyId": "alias/hmac", "Message": message})).fields["Mac"]
	signature := f.must("Sign", with(signing, object{"KeyId": "alias/signing", "Message": message})).fields["Signature"]
	peer := f.must("GetPublicKey", object{"KeyId": "alias/agreement"}).fields["PublicKey"]

	type place struct {
		reason    string
		parameter string // default KeyId
		alias     string // of which key it is; empty where an alias is refused
		request   object // for the rest; default: that of validRequests
	}
	const no = "takes key IDs and key ARNs only"
	places := map[string][]place{
		"CancelKeyDeletion":               {{reason: no}},
		"CreateAlias":                     {{reason: "an alias names a key, not an alias", parameter: "TargetKeyId"}},
		"Decrypt":                         {{alias: "alias/symmetric", request: object{"CiphertextBlob": ciphertext}}},
		"DeleteImportedKeyMaterial":       {{reason: no}},
		"DeriveSharedSecret":              {{alias: "alias/agreement", request: object{"KeyAgreementAlgorithm": "ECDH", "PublicKey": peer}}},
		"DescribeKey":                     {{alias: "alias/hmac"}},
		"DisableKey":                      {{reason: no}},
		"EnableKey":                       {{reason: no}},
		"Encrypt":                         {{alias: "alias/symmetric", request: object{"Plaintext": message}}},
		"GenerateDataKey":                 {{alias: "alias/symmetric", request: object{"KeySpec": "AES_256"}}},
		"GenerateDataKeyWithoutPlaintext": {{alias: "alias/symmetric", request: object{"KeySpec": "AES_256"}}},
		"GenerateMac":                     {{alias: "alias/hmac", request: with(mac, object{"Message": message})}},
		"GetKeyPolicy":                    {{reason: no}},
		"GetKeyRotationStatus":            {{reason: no}},
		"GetParametersForImport":          {{reason: no}},
		"GetPublicKey":                    {{alias: "alias/signing"}},
		"ImportKeyMaterial":               {{reason: no}},
		"ListAliases":                     {{reason: no}},
		"ListKeyPolicies":                 {{reason: no}},
		"ListKeyRotations":                {{reason: no}},
		"ListResourceTags":                {{reason: no}},
		"PutKeyPolicy":                    {{reason: no}},
		"ReEncrypt": {
			{reason: "the source", parameter: "SourceKeyId", alias: "alias/symmetric", request: object{"CiphertextBlob": ciphertext, "DestinationKeyId": "alias/symmetric"}},
			{reason: "the destination", parameter: "DestinationKeyId", alias: "alias/symmetric", request: object{"CiphertextBlob": ciphertext}},
		},
		"ReplicateKey":         {{reason: no}},
		"RotateKeyOnDemand":    {{reason: no}},
		"ScheduleKeyDeletion":  {{reason: no}},
		"Sign":                 {{alias: "alias/signing", request: with(signing, object{"Message": message})}},
		"TagResource":          {{reason: no}},
		"UntagResource":        {{reason: no}},
		"UpdateAlias":          {{reason: "an alias names a key, not an alias", parameter: "TargetKeyId"}},
		"UpdateKeyDescription": {{reason: no}},
		"Verify":               {{alias: "alias/signing", request: with(signing, object{"Message": message, "Signature": signature})}},
		"VerifyMac":            {{alias: "alias/hmac", request: with(mac, object{"Message": message, "Mac": tag})}},
	}
	namesNoKey := map[string]bool{"CreateKey": true, "DeleteAlias": true, "GenerateRandom": true, "ListKeys": true}
	for _, operation := range localkms.Operations() {
		if len(places[operation]) == 0 && !namesNoKey[operation] {
			t.Errorf("%s has no case here", operation)
		}
		for _, c := range places[operation] {
			parameter := c.parameter
			if parameter == "" {
				parameter = "KeyId"
			}
			t.Run(operation+"/"+parameter, func(t *testing.T) {
				f := f.in(t)
				request := validRequests()[operation]
				if c.request != nil {
					request = c.request
				}
				if c.alias != "" {
					for _, ref := range []string{c.alias, aliasARNOf(c.alias)} {
						f.must(operation, with(request, object{parameter: ref}))
					}
					f.expect(f.call(operation, with(request, object{parameter: "alias/unknown"}).String()),
						"NotFoundException", "Alias "+aliasARNOf("alias/unknown")+" is not found.")
					return
				}
				for _, ref := range []string{"alias/symmetric", aliasARNOf("alias/symmetric")} {
					f.expect(f.call(operation, with(request, object{parameter: ref}).String()), "NotFoundException", "Invalid keyId '"+ref+"'")
				}
			})
		}
	}
}

func TestAliasNames(t *testing.T) {
	f := newFixture(t)
	keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
	const (
		prefix   = `Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html`
		one      = "1 validation error detected: Value at 'aliasName' failed to satisfy constraint: Member must "
		pattern  = one + "satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$"
		reserved = "NotAuthorizedException"
	)
	for name, c := range map[string]struct {
		reason  string
		alias   string
		code    string
		message string
	}{
		"plain":                {reason: "the base", alias: "alias/plain"},
		"every character":      {reason: "what is allowed", alias: "alias/aZ0_-/9"},
		"a character":          {reason: "something behind the prefix", alias: "alias/a"},
		"longest":              {reason: "256 with the prefix", alias: "alias/" + strings.Repeat("x", 250)},
		"almost reserved":      {reason: "only alias/aws/ is", alias: "alias/aws"},
		"reserved further in":  {reason: "only at the beginning", alias: "alias/mine/alias/aws/"},
		"reserved in capitals": {reason: "aliases are case-sensitive", alias: "alias/AWS/x"},
		"too long":             {reason: "257", alias: "alias/" + strings.Repeat("x", 251), code: "ValidationException", message: one + "have length less than or equal to 256"},
		"empty":                {reason: "at least a character", alias: "", code: "ValidationException", message: one + "have length greater than or equal to 1"},
		"no prefix":            {reason: "the recorded code and sentence", alias: "plain", code: "ValidationException", message: prefix},
		"prefix in capitals":   {reason: "it is not the prefix", alias: "Alias/plain", code: "ValidationException", message: prefix},
		"ARN":                  {reason: "a name is asked for", alias: aliasARNOf("alias/plain"), code: "ValidationException", message: prefix},
		"nothing but prefix":   {reason: "no name", alias: "alias/", code: "InvalidAliasNameException"},
		"colon":                {reason: "it would take an ARN apart", alias: "alias/a:b", code: "InvalidAliasNameException"},
		"blank":                {reason: "outside the pattern", alias: "alias/a b", code: "ValidationException", message: pattern},
		"letter with accent":   {reason: "outside the pattern", alias: "alias/é", code: "ValidationException", message: pattern},
		"dot":                  {reason: "outside the pattern", alias: "alias/a.b", code: "ValidationException", message: pattern},
		"reserved":             {reason: "for the keys of AWS's services", alias: "alias/aws/s3", code: reserved},
		"reserved prefix":      {reason: "nothing behind it", alias: "alias/aws/", code: reserved},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			target := object{"AliasName": c.alias, "TargetKeyId": keyID}
			f.expect(f.call("CreateAlias", target.String()), c.code, c.message)
			f.expect(f.call("UpdateAlias", target.String()), c.code, c.message)
			f.expect(f.call("DeleteAlias", object{"AliasName": c.alias}.String()), c.code, c.message)
		})
	}
	f.expectAliases(object{})
}

// TestAliasIsTaken shows that a name belongs to one key at a time.
func TestAliasIsTaken(t *testing.T) {
	f := newFixture(t)
	first, second := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS"), f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
	f.alias("alias/a", first)
	for _, keyID := range []string{first, second} {
		f.expect(f.call("CreateAlias", object{"AliasName": "alias/a", "TargetKeyId": keyID}.String()),
			"AlreadyExistsException", "An alias with the name arn:aws:kms:us-east-1:111122223333:alias/a already exists")
	}
	f.alias("alias/A", second)
	f.expectAliases(object{"KeyId": first}, "alias/a")
	f.expect(f.call("CreateAlias", object{"AliasName": "alias/b", "TargetKeyId": someKeyID}.String()),
		"NotFoundException", "Key '"+arnOf(someKeyID)+"' does not exist")
	f.must("DeleteAlias", object{"AliasName": "alias/a"})
	f.alias("alias/a", second)
	f.expectAliases(object{"KeyId": first})
	f.expectAliases(object{"KeyId": second}, "alias/A", "alias/a")
}

// TestAliasTypes shows that an alias goes to a key of the same type and usage only, so that nobody who uses it is taken
// by surprise.
func TestAliasTypes(t *testing.T) {
	f := newFixture(t)
	keys := map[string]string{
		"symmetric":      f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS"),
		"imported":       f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL"),
		"HMAC":           f.createKey("HMAC_256", "AWS_KMS"),
		"longer HMAC":    f.createKey("HMAC_512", "AWS_KMS"),
		"RSA encryption": f.createKeyFor("RSA_2048", "EXTERNAL", "ENCRYPT_DECRYPT"),
		"RSA signing":    f.createKeyFor("RSA_2048", "EXTERNAL", "SIGN_VERIFY"),
		"ECC signing":    f.createKeyFor("ECC_NIST_P256", "AWS_KMS", "SIGN_VERIFY"),
		"ECC agreement":  f.createKeyFor("ECC_NIST_P256", "AWS_KMS", "KEY_AGREEMENT"),
	}
	for name, c := range map[string]struct {
		reason   string
		from, to string
		refused  bool
	}{
		"to itself":             {reason: "nothing changes", from: "symmetric", to: "symmetric"},
		"other origin":          {reason: "where the material is from does not matter", from: "symmetric", to: "imported"},
		"other length":          {reason: "both HMAC", from: "HMAC", to: "longer HMAC"},
		"other asymmetric spec": {reason: "both asymmetric, for the same use", from: "RSA signing", to: "ECC signing"},
		"and back":              {reason: "both asymmetric, for the same use", from: "ECC signing", to: "RSA signing"},
		"symmetric to HMAC":     {reason: "another type", from: "symmetric", to: "HMAC", refused: true},
		"symmetric to RSA":      {reason: "another type, though both encrypt", from: "symmetric", to: "RSA encryption", refused: true},
		"RSA to symmetric":      {reason: "another type, though both encrypt", from: "RSA encryption", to: "symmetric", refused: true},
		"RSA to other use":      {reason: "another usage", from: "RSA encryption", to: "RSA signing", refused: true},
		"ECC to other use":      {reason: "another usage", from: "ECC signing", to: "ECC agreement", refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			alias := "alias/" + strings.ReplaceAll(name, " ", "-")
			f.alias(alias, keys[c.from])
			code, want := "", keys[c.to]
			if c.refused {
				code, want = "ValidationException", keys[c.from]
			}
			f.expect(f.call("UpdateAlias", object{"AliasName": alias, "TargetKeyId": keys[c.to]}.String()), code, "")
			if got := f.metadata(alias)["KeyId"]; got != want {
				t.Errorf("%s is %v, want %s", alias, got, want)
			}
		})
	}
}

// TestAliasLimit shows that a key has 50 names at most, however it comes by them.
func TestAliasLimit(t *testing.T) {
	f := newFixture(t)
	keyID, other := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS"), f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
	for i := range 50 {
		f.alias(fmt.Sprintf("alias/%d", i), keyID)
	}
	f.alias("alias/elsewhere", other)
	one := object{"AliasName": "alias/50", "TargetKeyId": keyID}.String()
	given := object{"AliasName": "alias/elsewhere", "TargetKeyId": keyID}.String()
	f.expect(f.call("CreateAlias", one), "LimitExceededException", "")
	f.expect(f.call("UpdateAlias", given), "LimitExceededException", "")
	f.must("UpdateAlias", object{"AliasName": "alias/0", "TargetKeyId": keyID}) // has it already
	f.must("DeleteAlias", object{"AliasName": "alias/0"})
	f.expect(f.call("UpdateAlias", given), "", "")
	f.expect(f.call("CreateAlias", one), "LimitExceededException", "")
	f.must("UpdateAlias", object{"AliasName": "alias/1", "TargetKeyId": other})
	f.expect(f.call("CreateAlias", one), "", "")
}

func TestListAliases(t *testing.T) {
	f := newFixture(t)
	if a := f.must("ListAliases", object{}); a.body != `{"Aliases":[],"Truncated":false}` {
		t.Errorf("no aliases: %s", a.body)
	}
	first, second := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS"), f.createKey("HMAC_256", "AWS_KMS")
	for i, keyID := range []string{first, second, first, second, first} {
		f.alias("alias/"+string("edcba"[i]), keyID)
	}
	f.expectAliases(object{"KeyId": first}, "alias/a", "alias/c", "alias/e")
	f.expectAliases(object{"KeyId": arnOf(second)}, "alias/b", "alias/d")
	f.expectAliases(object{"Limit": 5}, "alias/a", "alias/b", "alias/c", "alias/d", "alias/e")
	f.expect(f.call("ListAliases", object{"KeyId": someKeyID}.String()), "NotFoundException", "Key '"+arnOf(someKeyID)+"' does not exist")
	f.expect(f.call("ListAliases", object{"Limit": 101}.String()), "ValidationException", "")
	f.expect(f.call("ListAliases", object{"Marker": "%"}.String()), "InvalidMarkerException", "")

	var listed []string
	var pages []int
	for pager := kms.NewListAliasesPaginator(f.client, &kms.ListAliasesInput{Limit: new(int32(2))}); pager.HasMorePages(); {
		page, err := pager.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, len(page.Aliases))
		for _, one := range page.Aliases {
			listed = append(listed, *one.AliasName)
			// What a cleanup does: it must not make the next page begin too late.
			f.must("DeleteAlias", object{"AliasName": *one.AliasName})
		}
	}
	if diff := cmp.Diff([]string{"alias/a", "alias/b", "alias/c", "alias/d", "alias/e"}, listed); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{2, 2, 1}, pages); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
}

// TestAliasRegions shows that a name in one Region says nothing about any other.
func TestAliasRegions(t *testing.T) {
	f := newFixture(t)
	west := f.region("eu-west-1")
	here, there := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS"), west.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
	f.alias("alias/a", here)
	f.alias("alias/b", here)
	west.expectAliases(object{})
	west.expect(west.call("DescribeKey", object{"KeyId": "alias/a"}.String()), "NotFoundException",
		"Alias arn:aws:kms:eu-west-1:111122223333:alias/a is not found.")
	west.expect(west.call("DescribeKey", object{"KeyId": aliasARNOf("alias/a")}.String()), "NotFoundException", "Invalid arn us-east-1")
	west.expect(west.call("CreateAlias", object{"AliasName": "alias/a", "TargetKeyId": here}.String()), "NotFoundException", "")

	west.alias("alias/a", there)
	if got := west.metadata("alias/a")["KeyId"]; got != there {
		t.Errorf("alias/a is %v in eu-west-1, want %s", got, there)
	}
	if got := f.metadata("alias/a")["KeyId"]; got != here {
		t.Errorf("alias/a is %v in us-east-1, want %s", got, here)
	}
	west.must("DeleteAlias", object{"AliasName": "alias/a"})
	west.expectAliases(object{})
	f.expectAliases(object{}, "alias/a", "alias/b")
}

// TestAliasesOfReplicas shows that the keys of one multi-Region key, which share their ID, do not share names.
func TestAliasesOfReplicas(t *testing.T) {
	f := newFixture(t)
	keyID := f.multiRegionKey("eu-west-1")
	replica := f.region("eu-west-1")
	f.alias("alias/primary", keyID)
	replica.alias("alias/replica", keyID)
	f.expectAliases(object{"KeyId": keyID}, "alias/primary")
	replica.expectAliases(object{"KeyId": keyID}, "alias/replica")
}

// TestAliasOfDeletedKey shows that a name lasts as long as its key, and is free again afterwards.
func TestAliasOfDeletedKey(t *testing.T) {
	f := newFixture(t)
	keyID, other := f.importedKey("SYMMETRIC_DEFAULT", bytesOf(1, 32)), f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
	for _, name := range []string{"alias/deleted", "alias/given", "alias/kept"} {
		f.alias(name, keyID)
	}
	f.must("ScheduleKeyDeletion", object{"KeyId": keyID, "PendingWindowInDays": 7})
	pending := arnOf(keyID) + " is pending deletion."
	f.expectAliases(object{"KeyId": keyID}, "alias/deleted", "alias/given", "alias/kept")
	f.expect(f.call("Encrypt", object{"KeyId": "alias/kept", "Plaintext": []byte("x")}.String()), "KMSInvalidStateException", pending)
	for operation, name := range map[string]string{"CreateAlias": "alias/new", "UpdateAlias": "alias/kept"} {
		f.expect(f.call(operation, object{"AliasName": name, "TargetKeyId": keyID}.String()), "KMSInvalidStateException", pending)
	}
	f.must("UpdateAlias", object{"AliasName": "alias/given", "TargetKeyId": other}) // only the new key's state counts
	f.must("DeleteAlias", object{"AliasName": "alias/deleted"})
	f.expectAliases(object{}, "alias/given", "alias/kept")

	f.clock.advance(7 * 24 * time.Hour)
	f.expectAliases(object{}, "alias/given")
	gone := "Alias " + aliasARNOf("alias/kept") + " is not found."
	for operation, body := range map[string]object{
		"DescribeKey": {"KeyId": "alias/kept"}, "DeleteAlias": {"AliasName": "alias/kept"},
		"UpdateAlias": {"AliasName": "alias/kept", "TargetKeyId": other},
	} {
		f.expect(f.call(operation, body.String()), "NotFoundException", gone)
	}
	f.alias("alias/kept", other)
	f.expectAliases(object{"KeyId": other}, "alias/given", "alias/kept")
}

// TestAliasByState shows that keys in other states take names as they are.
func TestAliasByState(t *testing.T) {
	f := newFixture(t)
	for _, state := range []string{"Enabled", "Disabled", "PendingImport"} {
		keyID := f.keyIn(state, bytesOf(1, 32))
		f.alias("alias/"+state, keyID)
		f.must("UpdateAlias", object{"AliasName": "alias/" + state, "TargetKeyId": keyID})
		f.must("DeleteAlias", object{"AliasName": "alias/" + state})
		f.expectState(keyID, state)
	}
}
