package localkms_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// rotationOf lists the materials of a key in short: "CURRENT IMPORTED", oldest first.
func (f *fixture) rotationOf(keyID string) (materials []string) {
	f.t.Helper()
	a := f.must("ListKeyRotations", object{"KeyId": keyID, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"})
	for _, one := range a.fields["Rotations"].([]any) {
		entry := one.(map[string]any)
		materials = append(materials, entry["KeyMaterialState"].(string)+" "+entry["ImportState"].(string))
	}
	return materials
}

func (f *fixture) expectMaterials(keyID string, want ...string) {
	f.t.Helper()
	if diff := cmp.Diff(want, f.rotationOf(keyID)); diff != "" {
		f.t.Errorf("materials (-want +got):\n%s", diff)
	}
}

var newMaterial = object{"ImportType": "NEW_KEY_MATERIAL"}

// TestRotation is the life of a single-Region key with two materials: what each one's loss does to the whole.
func TestRotation(t *testing.T) {
	f := newFixture(t)
	first, second, third := bytesOf(1, 32), bytesOf(2, 32), bytesOf(3, 32)
	keyID := f.importedKey("SYMMETRIC_DEFAULT", first)
	firstID := f.metadata(keyID)["CurrentKeyMaterialId"].(string)
	old := f.must("Encrypt", object{"KeyId": keyID, "Plaintext": []byte("x")}).fields["CiphertextBlob"]

	f.expect(f.call("RotateKeyOnDemand", object{"KeyId": keyID}.String()), "KMSInvalidStateException",
		"No available key material pending rotation for the key: "+arnOf(keyID)+".")
	imported := f.importMaterial(keyID, second, newMaterial)
	f.expect(imported, "", "")
	secondID := imported.fields["KeyMaterialId"].(string)
	f.expectState(keyID, "Enabled")
	if got := f.metadata(keyID)["CurrentKeyMaterialId"]; got != firstID {
		t.Errorf("CurrentKeyMaterialId %v before the rotation, want %s", got, firstID)
	}
	f.expectMaterials(keyID, "CURRENT IMPORTED", "PENDING_ROTATION IMPORTED")
	another := f.importMaterial(keyID, third, newMaterial)
	if another.code != "KMSInvalidStateException" || !strings.HasPrefix(another.message, "New key material (id: ") ||
		!strings.HasSuffix(another.message, ") cannot be imported into KMS key "+arnOf(keyID)+", because another key material (id: "+secondID+") is pending rotation.") {
		t.Errorf("a second pending material: %s", another.body)
	}

	f.must("RotateKeyOnDemand", object{"KeyId": keyID})
	f.expectMaterials(keyID, "NON_CURRENT IMPORTED", "CURRENT IMPORTED")
	if got := f.metadata(keyID)["CurrentKeyMaterialId"]; got != secondID {
		t.Errorf("CurrentKeyMaterialId %v after the rotation, want %s", got, secondID)
	}
	if got := f.must("Decrypt", object{"CiphertextBlob": old}).fields["KeyMaterialId"]; got != firstID {
		t.Errorf("the old ciphertext was opened by %v, want %s", got, firstID)
	}
	recent := f.must("Encrypt", object{"KeyId": keyID, "Plaintext": []byte("x")}).fields["CiphertextBlob"]

	f.must("DeleteImportedKeyMaterial", object{"KeyId": keyID, "KeyMaterialId": firstID})
	f.expectState(keyID, "PendingImport")
	f.expect(f.call("Decrypt", object{"CiphertextBlob": recent}.String()), "KMSInvalidStateException", arnOf(keyID)+" is pending import.")
	f.expectMaterials(keyID, "NON_CURRENT PENDING_IMPORT", "CURRENT IMPORTED")
	f.must("DeleteImportedKeyMaterial", object{"KeyId": keyID})
	f.expectMaterials(keyID, "NON_CURRENT PENDING_IMPORT", "CURRENT PENDING_IMPORT")
	f.expect(f.importMaterial(keyID, first, object{"KeyMaterialId": firstID}), "", "")
	f.expectState(keyID, "PendingImport")
	f.expect(f.importMaterial(keyID, second, object{"ImportType": "EXISTING_KEY_MATERIAL", "KeyMaterialId": secondID}), "", "")
	f.expectState(keyID, "Enabled")
	f.must("Decrypt", object{"CiphertextBlob": old})
	f.must("Decrypt", object{"CiphertextBlob": recent})
}

// TestPendingMaterial shows that what waits for its rotation can go without a trace.
func TestPendingMaterial(t *testing.T) {
	f := newFixture(t)
	keyID := f.importedKey("SYMMETRIC_DEFAULT", bytesOf(1, 32))
	id := f.importMaterial(keyID, bytesOf(2, 32), newMaterial).fields["KeyMaterialId"]
	f.must("DeleteImportedKeyMaterial", object{"KeyId": keyID, "KeyMaterialId": id})
	f.expectState(keyID, "Enabled")
	f.expectMaterials(keyID, "CURRENT IMPORTED")

	expiring := object{"ImportType": "NEW_KEY_MATERIAL", "ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": start.Add(time.Hour).Unix()}
	f.expect(f.importMaterial(keyID, bytesOf(2, 32), expiring), "", "")
	if got := f.metadata(keyID)["ExpirationModel"]; got != "KEY_MATERIAL_DOES_NOT_EXPIRE" {
		t.Errorf("ExpirationModel %v: what waits is not yet associated", got)
	}
	f.clock.advance(time.Hour)
	f.expectState(keyID, "Enabled")
	f.expectMaterials(keyID, "CURRENT IMPORTED")
}

// TestExpiryOfSeveral shows that the earliest date counts, and that one that expires stops the key.
func TestExpiryOfSeveral(t *testing.T) {
	f := newFixture(t)
	first, second := bytesOf(1, 32), bytesOf(2, 32)
	expiring := func(d time.Duration, kind string) object {
		return object{"ImportType": kind, "ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": start.Add(d).Unix()}
	}
	keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
	f.expect(f.importMaterial(keyID, first, expiring(2*time.Hour, "NEW_KEY_MATERIAL")), "", "")
	f.expect(f.importMaterial(keyID, second, newMaterial), "", "")
	f.must("RotateKeyOnDemand", object{"KeyId": keyID})
	metadata := f.metadata(keyID)
	if metadata["ExpirationModel"] != "KEY_MATERIAL_EXPIRES" || metadata["ValidTo"] != float64(start.Add(2*time.Hour).Unix()) {
		t.Errorf("one permanent, one not: %v %v", metadata["ExpirationModel"], metadata["ValidTo"])
	}
	f.expect(f.importMaterial(keyID, second, expiring(time.Hour, "EXISTING_KEY_MATERIAL")), "", "")
	if got := f.metadata(keyID)["ValidTo"]; got != float64(start.Add(time.Hour).Unix()) {
		t.Errorf("ValidTo %v, want the earlier", got)
	}
	f.clock.advance(time.Hour)
	f.expectState(keyID, "PendingImport")
	f.expectMaterials(keyID, "NON_CURRENT IMPORTED", "CURRENT PENDING_IMPORT")
	f.clock.advance(time.Hour)
	f.expectMaterials(keyID, "NON_CURRENT PENDING_IMPORT", "CURRENT PENDING_IMPORT")
	f.expect(f.importMaterial(keyID, second, nil), "", "")
	f.expectState(keyID, "PendingImport")
	f.expect(f.importMaterial(keyID, first, nil), "", "")
	f.expectState(keyID, "Enabled")
}

// TestRotationChecks is the order of the checks and the limit.
func TestRotationChecks(t *testing.T) {
	f := newFixture(t)
	empty := func(spec, usage string) string {
		return f.must("CreateKey", object{"Origin": "EXTERNAL", "KeySpec": spec, "KeyUsage": usage}).fields["KeyMetadata"].(map[string]any)["KeyId"].(string)
	}
	rotate := func(keyID string) answer { return f.call("RotateKeyOnDemand", object{"KeyId": keyID}.String()) }
	emptyRSA := empty("RSA_2048", "SIGN_VERIFY")
	f.expect(rotate(emptyRSA), "KMSInvalidStateException", arnOf(emptyRSA)+" is pending import.")
	disabled := f.keyIn("Disabled", bytesOf(1, 32))
	f.expect(rotate(disabled), "DisabledException", arnOf(disabled)+" is disabled.")
	deleted := f.keyIn("PendingDeletion", bytesOf(1, 32))
	f.expect(rotate(deleted), "KMSInvalidStateException", arnOf(deleted)+" is pending deletion.")
	f.expect(rotate(f.importedKey("HMAC_256", bytesOf(1, 32))), "UnsupportedOperationException", "")

	keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
	for range 25 {
		f.must("RotateKeyOnDemand", object{"KeyId": keyID})
	}
	f.expect(rotate(keyID), "LimitExceededException",
		"The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: "+arnOf(keyID))
	a := f.must("ListKeyRotations", object{"KeyId": keyID, "Limit": 20})
	if len(a.fields["Rotations"].([]any)) != 20 || a.fields["Truncated"] != true {
		t.Errorf("first page: %s", a.body)
	}
	a = f.must("ListKeyRotations", object{"KeyId": keyID, "Limit": 20, "Marker": a.fields["NextMarker"]})
	if len(a.fields["Rotations"].([]any)) != 5 || a.fields["Truncated"] != false {
		t.Errorf("second page: %s", a.body)
	}
}

// TestRotationTakesTime shows what is to be seen meanwhile.
func TestRotationTakesTime(t *testing.T) {
	f := newFixture(t, func(o *localkms.Options) { o.RotationTime = time.Minute })
	keyID := f.importedKey("SYMMETRIC_DEFAULT", bytesOf(1, 32))
	firstID := f.metadata(keyID)["CurrentKeyMaterialId"]
	status := func() any {
		return f.must("GetKeyRotationStatus", object{"KeyId": keyID}).fields["OnDemandRotationStartDate"]
	}
	if a := f.must("GetKeyRotationStatus", object{"KeyId": keyID}); a.body != `{"KeyId":"`+arnOf(keyID)+`","KeyRotationEnabled":false}` {
		t.Errorf("no rotation: %s", a.body)
	}
	f.expect(f.importMaterial(keyID, bytesOf(2, 32), newMaterial), "", "")
	f.must("RotateKeyOnDemand", object{"KeyId": keyID})
	if got := status(); got != float64(start.Unix()) {
		t.Errorf("OnDemandRotationStartDate %v", got)
	}
	f.expect(f.call("RotateKeyOnDemand", object{"KeyId": keyID}.String()), "ConflictException", "")
	if got := f.metadata(keyID)["CurrentKeyMaterialId"]; got != firstID {
		t.Error("the rotation is done at once")
	}
	f.clock.advance(time.Minute)
	if got := f.metadata(keyID)["CurrentKeyMaterialId"]; got == firstID || status() != nil {
		t.Error("the rotation is not done in time")
	}
	var listed struct {
		Rotations []struct {
			RotationDate float64
			RotationType string
		}
	}
	if err := json.Unmarshal([]byte(f.must("ListKeyRotations", object{"KeyId": keyID}).body), &listed); err != nil {
		t.Fatal(err)
	}
	if len(listed.Rotations) != 1 || listed.Rotations[0].RotationDate != float64(start.Add(time.Minute).Unix()) || listed.Rotations[0].RotationType != "ON_DEMAND" {
		t.Errorf("rotations: %+v", listed.Rotations)
	}
}

// TestMaterialDescription shows that a description stays until it is replaced.
func TestMaterialDescription(t *testing.T) {
	f := newFixture(t)
	keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
	described := func() any {
		a := f.must("ListKeyRotations", object{"KeyId": keyID, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"})
		return a.fields["Rotations"].([]any)[0].(map[string]any)["KeyMaterialDescription"]
	}
	for _, c := range []struct {
		extra object
		want  any
	}{{nil, nil}, {object{"KeyMaterialDescription": "the first"}, "the first"}, {nil, "the first"}, {object{"KeyMaterialDescription": "again"}, "again"}} {
		f.expect(f.importMaterial(keyID, bytesOf(1, 32), c.extra), "", "")
		if got := described(); got != c.want {
			t.Errorf("after %v: %v, want %v", c.extra, got, c.want)
		}
	}
}

// TestRotationLosesItsMaterial shows that a rotation under way ends when what it is to make current goes, looked at or not.
func TestRotationLosesItsMaterial(t *testing.T) {
	slow := func(o *localkms.Options) { o.RotationTime = time.Minute }
	expiring := object{"ImportType": "NEW_KEY_MATERIAL", "ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": start.Add(30 * time.Second).Unix()}
	for _, look := range []bool{true, false} {
		f := newFixture(t, slow)
		keyID := f.importedKey("SYMMETRIC_DEFAULT", bytesOf(1, 32))
		f.expect(f.importMaterial(keyID, bytesOf(2, 32), expiring), "", "")
		f.must("RotateKeyOnDemand", object{"KeyId": keyID})
		f.clock.advance(45 * time.Second)
		if look {
			f.expectMaterials(keyID, "CURRENT IMPORTED")
		}
		f.clock.advance(45 * time.Second)
		f.expectState(keyID, "Enabled")
		f.expectMaterials(keyID, "CURRENT IMPORTED")
	}

	f := newFixture(t, slow)
	keyID := f.importedKey("SYMMETRIC_DEFAULT", bytesOf(1, 32))
	id := f.importMaterial(keyID, bytesOf(2, 32), newMaterial).fields["KeyMaterialId"]
	f.must("RotateKeyOnDemand", object{"KeyId": keyID})
	f.must("DeleteImportedKeyMaterial", object{"KeyId": keyID, "KeyMaterialId": id})
	f.expect(f.importMaterial(keyID, bytesOf(3, 32), newMaterial), "", "") // for which nobody asked to rotate
	f.clock.advance(2 * time.Minute)
	f.expectMaterials(keyID, "CURRENT IMPORTED", "PENDING_ROTATION IMPORTED")
}
