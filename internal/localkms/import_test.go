package localkms_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// in is the fixture for a subtest.
func (f *fixture) in(t *testing.T) *fixture {
	g := *f
	g.t = t
	return &g
}

func TestImportRules(t *testing.T) {
	f := newFixture(t)
	material, other := bytesOf(1, 32), bytesOf(2, 32)
	at := func(d time.Duration) float64 { return float64(start.Add(d).UnixMilli()) / 1000 }
	const day = 24 * time.Hour
	const unset = "\x00unset"
	for name, c := range map[string]struct {
		reason   string
		spec     string // default SYMMETRIC_DEFAULT
		before   string // "": never imported, "imported", "deleted"
		material []byte // default the one imported before
		request  object // null means left out
		code     string
		message  string
	}{
		"expiring by default": {
			reason:  "ExpirationModel defaults to KEY_MATERIAL_EXPIRES",
			request: object{"ExpirationModel": nil, "ValidTo": at(time.Hour)},
		},
		"expiring without date": {
			reason:  "the recorded sentence",
			request: object{"ExpirationModel": "KEY_MATERIAL_EXPIRES"},
			code:    "ValidationException", message: "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES",
		},
		"expiring by default without date": {
			reason:  "the default needs a date too",
			request: object{"ExpirationModel": nil},
			code:    "ValidationException", message: "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES",
		},
		"permanent with date": {
			reason:  "a date is forbidden where nothing expires",
			request: object{"ValidTo": at(time.Hour)},
			code:    "ValidationException",
		},
		"date is now": {
			reason:  "ValidTo must be in the future",
			request: object{"ExpirationModel": nil, "ValidTo": at(0)},
			code:    "ValidationException", message: "The validTo date must be in the future",
		},
		"date at the epoch": {
			reason:  "zero is a date, not an absent one",
			request: object{"ExpirationModel": nil, "ValidTo": 0},
			code:    "ValidationException", message: "The validTo date must be in the future",
		},
		"date a millisecond ahead": {
			reason:  "there is no minimum",
			request: object{"ExpirationModel": nil, "ValidTo": at(time.Millisecond)},
		},
		"date 365 days ahead": {
			reason:  "the longest that is allowed",
			request: object{"ExpirationModel": nil, "ValidTo": at(365 * day)},
		},
		"date over 365 days ahead": {
			reason:  "a second too far",
			request: object{"ExpirationModel": nil, "ValidTo": at(365*day + time.Second)},
			code:    "ValidationException", message: "The validTo date must be at most 365 days in the future",
		},
		"first as new": {
			reason:  "NEW_KEY_MATERIAL is what a first import is",
			request: object{"ImportType": "NEW_KEY_MATERIAL"},
		},
		"first as existing": {
			reason:  "nothing exists yet",
			request: object{"ImportType": "EXISTING_KEY_MATERIAL"},
			code:    "IncorrectKeyMaterialException",
		},
		"first with a material ID": {
			reason:  "an ID must already belong to the key",
			request: object{"KeyMaterialId": "0000000000000000000000000000000000000000000000000000000000000000"},
			code:    "IncorrectKeyMaterialException",
		},
		"same again": {
			reason: "re-import is allowed at any time", before: "imported",
		},
		"same again as existing": {
			reason: "what a renewal sends", before: "imported",
			request: object{"ImportType": "EXISTING_KEY_MATERIAL", "KeyMaterialId": unset},
		},
		"same again as new": {
			reason: "it is not new", before: "imported",
			request: object{"ImportType": "NEW_KEY_MATERIAL"},
			code:    "IncorrectKeyMaterialException",
		},
		"same after deletion": {
			reason: "how a deletion is undone", before: "deleted",
		},
		"other over material": {
			reason: "the first material is permanently associated", before: "imported", material: other,
			code: "IncorrectKeyMaterialException",
		},
		"other after deletion": {
			reason: "the association outlives the material", before: "deleted", material: other,
			code: "IncorrectKeyMaterialException",
		},
		"other as existing": {
			reason: "saying so does not make it so", before: "imported", material: other,
			request: object{"ImportType": "EXISTING_KEY_MATERIAL"},
			code:    "IncorrectKeyMaterialException",
		},
		"other as new": {
			reason: "it waits for a rotation and changes no state", before: "imported", material: other,
			request: object{"ImportType": "NEW_KEY_MATERIAL"},
		},
		"other with the material ID": {
			reason: "KMS compares the ID with the one it computes", before: "imported", material: other,
			request: object{"KeyMaterialId": unset},
			code:    "IncorrectKeyMaterialException",
		},
		"new with a material ID": {
			reason: "the two contradict each other", before: "imported",
			request: object{"ImportType": "NEW_KEY_MATERIAL", "KeyMaterialId": unset},
			code:    "ValidationException",
		},
		"described": {
			reason:  "a description of every allowed kind of character",
			request: object{"KeyMaterialDescription": "a Z:0/_.-"},
		},
		"badly described": {
			reason:  "characters outside the pattern",
			request: object{"KeyMaterialDescription": "a;b"},
			code:    "ValidationException",
			message: `1 validation error detected: Value at 'keyMaterialDescription' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_\s.-]+$`,
		},
		"31 bytes":            {reason: "AES-256 takes 32", material: bytesOf(1, 31), code: "IncorrectKeyMaterialException"},
		"33 bytes":            {reason: "AES-256 takes 32", material: bytesOf(1, 33), code: "IncorrectKeyMaterialException"},
		"no bytes":            {reason: "OAEP can carry nothing", material: []byte{}, code: "IncorrectKeyMaterialException"},
		"HMAC":                {reason: "exactly the length of the spec", spec: "HMAC_256"},
		"HMAC 31 bytes":       {reason: "too short", spec: "HMAC_256", material: bytesOf(1, 31), code: "IncorrectKeyMaterialException"},
		"HMAC 33 bytes":       {reason: "the harsher of two passages of the guide", spec: "HMAC_256", material: bytesOf(1, 33), code: "IncorrectKeyMaterialException"},
		"HMAC other material": {reason: "never accepted", spec: "HMAC_256", before: "imported", material: other, code: "IncorrectKeyMaterialException"},
		"HMAC as new": {
			reason: "ImportType is for symmetric keys", spec: "HMAC_256",
			request: object{"ImportType": "NEW_KEY_MATERIAL"}, code: "ValidationException",
		},
		"HMAC described": {
			reason: "KeyMaterialDescription is for symmetric keys", spec: "HMAC_256",
			request: object{"KeyMaterialDescription": "x"}, code: "ValidationException",
		},
		"HMAC with a material ID": {
			reason: "KeyMaterialId is for symmetric keys", spec: "HMAC_256",
			request: object{"KeyMaterialId": "0000000000000000000000000000000000000000000000000000000000000000"}, code: "ValidationException",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			spec := c.spec
			if spec == "" {
				spec = "SYMMETRIC_DEFAULT"
			}
			keyID := f.createKey(spec, "EXTERNAL")
			if c.before != "" {
				f.expect(f.importMaterial(keyID, material, nil), "", "")
			}
			if c.before == "deleted" {
				f.must("DeleteImportedKeyMaterial", object{"KeyId": keyID})
			}
			if c.request["KeyMaterialId"] == unset {
				c.request["KeyMaterialId"] = f.metadata(keyID)["CurrentKeyMaterialId"]
			}
			imported := c.material
			if imported == nil {
				imported = material
			}
			stateBefore := f.metadata(keyID)
			f.expect(f.importMaterial(keyID, imported, c.request), c.code, c.message)
			if c.code == "" {
				f.expectState(keyID, "Enabled")
			} else if diff := cmp.Diff(stateBefore, f.metadata(keyID)); diff != "" {
				t.Errorf("a refused import changed the key (-before +after):\n%s", diff)
			}
		})
	}
}

func TestMaterialIDs(t *testing.T) {
	f := newFixture(t)
	material := bytesOf(7, 32)
	first, second := f.importedKey("SYMMETRIC_DEFAULT", material), f.importedKey("SYMMETRIC_DEFAULT", material)
	firstID, secondID := f.metadata(first)["CurrentKeyMaterialId"], f.metadata(second)["CurrentKeyMaterialId"]
	if firstID == nil || firstID == secondID {
		t.Errorf("the same bytes in two keys have the IDs %v and %v", firstID, secondID)
	}
	again := f.importMaterial(first, material, nil)
	if again.fields["KeyMaterialId"] != firstID {
		t.Errorf("the same bytes in the same key have the ID %v and then %v", firstID, again.fields["KeyMaterialId"])
	}
	if hmacKey := f.importedKey("HMAC_256", material); f.metadata(hmacKey)["CurrentKeyMaterialId"] != nil {
		t.Error("an HMAC key shows CurrentKeyMaterialId")
	}
}

func TestImportMetadata(t *testing.T) {
	f := newFixture(t)
	material := bytesOf(3, 32)
	keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
	show := func() object {
		shown := object{}
		for _, name := range []string{"KeyState", "Enabled", "ExpirationModel", "ValidTo", "CurrentKeyMaterialId"} {
			if value, ok := f.metadata(keyID)[name]; ok {
				shown[name] = value
			}
		}
		return shown
	}
	compare := func(moment string, want object) {
		t.Helper()
		if diff := cmp.Diff(want, show()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", moment, diff)
		}
	}
	compare("created", object{"KeyState": "PendingImport", "Enabled": false})
	validTo := float64(start.Add(time.Hour).Unix()) + 0.25
	imported := f.importMaterial(keyID, material, object{"ExpirationModel": nil, "ValidTo": validTo})
	f.expect(imported, "", "")
	id := imported.fields["KeyMaterialId"]
	compare("imported", object{
		"KeyState": "Enabled", "Enabled": true, "ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": validTo, "CurrentKeyMaterialId": id,
	})
	f.expect(f.importMaterial(keyID, material, nil), "", "")
	compare("re-imported", object{
		"KeyState": "Enabled", "Enabled": true, "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE", "CurrentKeyMaterialId": id,
	})
	f.must("DeleteImportedKeyMaterial", object{"KeyId": keyID})
	compare("deleted", object{"KeyState": "PendingImport", "Enabled": false, "CurrentKeyMaterialId": id})
}

// TestValidToFraction shows that a policy judges ValidTo to the millisecond.
func TestValidToFraction(t *testing.T) {
	f := newFixture(t)
	const limit = 1930000000
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"},{"Effect":"Deny","Principal":"*","Action":"kms:ImportKeyMaterial","Resource":"*","Condition":{"NumericGreaterThan":{"kms:ValidTo":"1930000000"}}}]}`
	keyID := f.must("CreateKey", object{"Origin": "EXTERNAL", "Policy": policy}).fields["KeyMetadata"].(map[string]any)["KeyId"].(string)
	f.clock.advance(time.Unix(limit, 0).Sub(start) - time.Hour)
	f.expect(f.importMaterial(keyID, bytesOf(1, 32), object{"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": limit + 0.5}), "AccessDeniedException", "")
}
