package localkms_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/google/go-cmp/cmp"
)

// region is the fixture as a client in another Region sees it.
func (f *fixture) region(name string) *fixture {
	g := *f
	g.regionName = name
	g.client = kms.New(f.client.Options(), func(o *kms.Options) { o.Region = name })
	return &g
}

// multiRegionKey makes a primary key without material, with replicas.
func (f *fixture) multiRegionKey(replicas ...string) string {
	f.t.Helper()
	keyID := f.must("CreateKey", object{"Origin": "EXTERNAL", "MultiRegion": true}).fields["KeyMetadata"].(map[string]any)["KeyId"].(string)
	for _, region := range replicas {
		f.must("ReplicateKey", object{"KeyId": keyID, "ReplicaRegion": region})
	}
	f.clock.advance(2 * time.Second) // the replicas are there
	return keyID
}

// TestRegions shows that one server plays several Regions, by the credential scope, each with keys of its own.
func TestRegions(t *testing.T) {
	f := newFixture(t)
	other := f.region("eu-west-1")
	keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
	other.expect(other.call("DescribeKey", object{"KeyId": keyID}.String()), "NotFoundException",
		"Key 'arn:aws:kms:eu-west-1:111122223333:key/"+keyID+"' does not exist")
	other.expect(other.call("DescribeKey", object{"KeyId": arnOf(keyID)}.String()), "NotFoundException", "Invalid arn us-east-1")
	if a := other.must("ListKeys", object{}); a.body != `{"Keys":[],"Truncated":false}` {
		t.Errorf("ListKeys in another Region: %s", a.body)
	}
	created, err := other.client.CreateKey(t.Context(), &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	if want := "arn:aws:kms:eu-west-1:111122223333:key/"; !strings.HasPrefix(*created.KeyMetadata.Arn, want) {
		t.Errorf("Arn %s, want %s...", *created.KeyMetadata.Arn, want)
	}
}

func TestReplicateKey(t *testing.T) {
	f := newFixture(t)
	keyID := f.must("CreateKey", object{"Origin": "EXTERNAL", "MultiRegion": true}).fields["KeyMetadata"].(map[string]any)["KeyId"].(string)
	if !strings.HasPrefix(keyID, "mrk-") || len(keyID) != 36 {
		t.Fatalf("KeyId %s", keyID)
	}
	a := f.must("ReplicateKey", object{"KeyId": keyID, "ReplicaRegion": "eu-west-1", "Description": "there", "Tags": []object{{"TagKey": "a", "TagValue": "b"}}})
	metadata := a.fields["ReplicaKeyMetadata"].(map[string]any)
	if metadata["KeyState"] != "Creating" || metadata["Enabled"] != false || metadata["Description"] != "there" || metadata["KeyId"] != keyID {
		t.Errorf("a replica starts as %v", metadata)
	}
	if diff := cmp.Diff([]any{map[string]any{"TagKey": "a", "TagValue": "b"}}, a.fields["ReplicaTags"]); diff != "" {
		t.Errorf("ReplicaTags (-want +got):\n%s", diff)
	}
	primaryARN, replicaARN := arnOf(keyID), "arn:aws:kms:eu-west-1:111122223333:key/"+keyID
	f.clock.advance(2 * time.Second)
	replica := f.region("eu-west-1")
	replica.expectState(keyID, "PendingImport")
	for kind, g := range map[string]*fixture{"PRIMARY": f, "REPLICA": replica} {
		want := map[string]any{
			"MultiRegionKeyType": kind,
			"PrimaryKey":         map[string]any{"Arn": primaryARN, "Region": "us-east-1"},
			"ReplicaKeys":        []any{map[string]any{"Arn": replicaARN, "Region": "eu-west-1"}},
		}
		if diff := cmp.Diff(want, g.metadata(keyID)["MultiRegionConfiguration"]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
	}

	single := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
	for name, c := range map[string]struct {
		reason string
		from   *fixture
		body   object
		code   string
	}{
		"there already": {reason: "one replica in a Region", from: f, body: object{"KeyId": keyID, "ReplicaRegion": "eu-west-1"}, code: "AlreadyExistsException"},
		"same Region":   {reason: "the primary is there", from: f, body: object{"KeyId": keyID, "ReplicaRegion": "us-east-1"}, code: "AlreadyExistsException"},
		"of a replica":  {reason: "only of primary keys", from: replica, body: object{"KeyId": keyID, "ReplicaRegion": "eu-west-2"}, code: "UnsupportedOperationException"},
		"single-Region": {reason: "it cannot be made one later", from: f, body: object{"KeyId": single, "ReplicaRegion": "eu-west-2"}, code: "UnsupportedOperationException"},
		"no Region":     {reason: "it becomes part of an ARN", from: f, body: object{"KeyId": keyID, "ReplicaRegion": "moon:1"}, code: "ValidationException"},
	} {
		t.Run(name, func(t *testing.T) {
			g := c.from.in(t)
			g.expect(g.call("ReplicateKey", c.body.String()), c.code, "")
		})
	}
}

// TestMultiRegionImport shows the order: the primary first, then the same bytes into each replica.
func TestMultiRegionImport(t *testing.T) {
	f := newFixture(t)
	keyID := f.multiRegionKey("eu-west-1")
	replica := f.region("eu-west-1")
	material := bytesOf(1, 32)
	replica.expect(replica.importMaterial(keyID, material, nil), "IncorrectKeyMaterialException", "")
	f.expect(f.importMaterial(keyID, material, nil), "", "")
	f.expectState(keyID, "Enabled")
	replica.expectState(keyID, "PendingImport")
	replica.expect(replica.importMaterial(keyID, bytesOf(2, 32), nil), "IncorrectKeyMaterialException", "")

	p := f.fresh(keyID)
	replica.expect(replica.call("ImportKeyMaterial", importBody(keyID, p.token, p.wrap(t, material)).String()), "InvalidImportTokenException", "")
	replica.expect(replica.importMaterial(keyID, material, nil), "", "")
	replica.expectState(keyID, "Enabled")
	ciphertext := f.must("Encrypt", object{"KeyId": keyID, "Plaintext": []byte("x")}).fields["CiphertextBlob"]
	replica.must("Decrypt", object{"CiphertextBlob": ciphertext})
	if f.metadata(keyID)["CurrentKeyMaterialId"] != replica.metadata(keyID)["CurrentKeyMaterialId"] {
		t.Error("the same material has two IDs in one multi-Region key")
	}

	replica.must("DeleteImportedKeyMaterial", object{"KeyId": keyID})
	replica.expectState(keyID, "PendingImport")
	f.expectState(keyID, "Enabled") // related keys have materials of their own
	f.must("DisableKey", object{"KeyId": keyID})
	replica.expect(replica.importMaterial(keyID, material, nil), "", "")
	replica.expectState(keyID, "Enabled")
	f.expectState(keyID, "Disabled")
}

// TestMultiRegionRotation shows the order of a rotation: the primary, every replica, then rotate.
func TestMultiRegionRotation(t *testing.T) {
	f := newFixture(t)
	keyID := f.multiRegionKey("eu-west-1", "eu-west-2")
	one, two := f.region("eu-west-1"), f.region("eu-west-2")
	first, second := bytesOf(1, 32), bytesOf(2, 32)
	for _, g := range []*fixture{f, one, two} {
		g.expect(g.importMaterial(keyID, first, nil), "", "")
	}
	ciphertext := f.must("Encrypt", object{"KeyId": keyID, "Plaintext": []byte("x")}).fields["CiphertextBlob"]
	rotate := object{"KeyId": keyID}.String()
	const waiting = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"

	one.expect(one.importMaterial(keyID, second, newMaterial), "IncorrectKeyMaterialException", "")
	f.expect(f.importMaterial(keyID, second, newMaterial), "", "")
	f.expectMaterials(keyID, "CURRENT IMPORTED", waiting+" IMPORTED")
	one.expectMaterials(keyID, "CURRENT IMPORTED", waiting+" PENDING_IMPORT")
	f.expect(f.call("RotateKeyOnDemand", rotate), "KMSInvalidStateException", "No available key material pending rotation for the key: "+arnOf(keyID)+".")
	for _, g := range []*fixture{one, two} {
		g.expect(g.importMaterial(keyID, second, object{"ImportType": "EXISTING_KEY_MATERIAL"}), "", "")
	}
	f.expectMaterials(keyID, "CURRENT IMPORTED", "PENDING_ROTATION IMPORTED")
	two.expectMaterials(keyID, "CURRENT IMPORTED", "PENDING_ROTATION IMPORTED")

	pending := f.importMaterial(keyID, second, object{"ImportType": "EXISTING_KEY_MATERIAL"}).fields["KeyMaterialId"]
	one.must("DeleteImportedKeyMaterial", object{"KeyId": keyID, "KeyMaterialId": pending})
	one.expectState(keyID, "Enabled")
	f.expectMaterials(keyID, "CURRENT IMPORTED", waiting+" IMPORTED") // on a replica only there, and all wait again
	one.expect(one.importMaterial(keyID, second, nil), "", "")

	one.expect(one.call("RotateKeyOnDemand", rotate), "UnsupportedOperationException", "")
	f.must("RotateKeyOnDemand", object{"KeyId": keyID})
	for _, g := range []*fixture{f, one, two} {
		g.expectMaterials(keyID, "NON_CURRENT IMPORTED", "CURRENT IMPORTED")
		g.must("Decrypt", object{"CiphertextBlob": ciphertext})
	}

	third := f.importMaterial(keyID, bytesOf(3, 32), newMaterial).fields["KeyMaterialId"]
	two.expect(two.importMaterial(keyID, bytesOf(3, 32), nil), "", "")
	f.must("DeleteImportedKeyMaterial", object{"KeyId": keyID, "KeyMaterialId": third})
	for _, g := range []*fixture{f, one, two} { // on the primary, everywhere
		g.expectMaterials(keyID, "NON_CURRENT IMPORTED", "CURRENT IMPORTED")
	}
}

// TestMultiRegionDeletion shows that a primary key waits for its replicas.
func TestMultiRegionDeletion(t *testing.T) {
	f := newFixture(t)
	keyID := f.multiRegionKey("eu-west-1")
	replica := f.region("eu-west-1")
	a := f.must("ScheduleKeyDeletion", object{"KeyId": keyID, "PendingWindowInDays": 7})
	if a.fields["KeyState"] != "PendingReplicaDeletion" || a.fields["DeletionDate"] != nil {
		t.Errorf("ScheduleKeyDeletion: %s", a.body)
	}
	if got := f.metadata(keyID)["PendingDeletionWindowInDays"]; got != 7.0 {
		t.Errorf("PendingDeletionWindowInDays %v", got)
	}
	f.clock.advance(100 * 24 * time.Hour)
	f.expectState(keyID, "PendingReplicaDeletion")
	replica.must("ScheduleKeyDeletion", object{"KeyId": keyID, "PendingWindowInDays": 10})
	replica.must("CancelKeyDeletion", object{"KeyId": keyID})
	f.clock.advance(10 * 24 * time.Hour)
	f.expectState(keyID, "PendingReplicaDeletion")
	replica.must("ScheduleKeyDeletion", object{"KeyId": keyID, "PendingWindowInDays": 10})
	f.clock.advance(10*24*time.Hour - time.Second)
	replica.expectState(keyID, "PendingDeletion")
	f.clock.advance(time.Second)
	replica.expect(replica.call("DescribeKey", object{"KeyId": keyID}.String()), "NotFoundException", "")
	f.expectState(keyID, "PendingDeletion")
	f.clock.advance(7 * 24 * time.Hour)
	f.expect(f.call("DescribeKey", object{"KeyId": keyID}.String()), "NotFoundException", "")
}

// TestMultiRegionExpiry shows that what waits for its rotation waits again when one Region's copy expires, and is nothing
// anywhere when the primary's does.
func TestMultiRegionExpiry(t *testing.T) {
	f := newFixture(t)
	keyID := f.multiRegionKey("eu-west-1")
	replica := f.region("eu-west-1")
	first, second := bytesOf(1, 32), bytesOf(2, 32)
	for _, g := range []*fixture{f, replica} {
		g.expect(g.importMaterial(keyID, first, nil), "", "")
	}
	until := func(d time.Duration, kind string) object {
		return object{"ImportType": kind, "ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": start.Add(d).Unix()}
	}
	f.expect(f.importMaterial(keyID, second, until(2*time.Hour, "NEW_KEY_MATERIAL")), "", "")
	replica.expect(replica.importMaterial(keyID, second, until(time.Hour, "EXISTING_KEY_MATERIAL")), "", "")
	f.expectMaterials(keyID, "CURRENT IMPORTED", "PENDING_ROTATION IMPORTED")
	f.clock.advance(time.Hour)
	f.expectMaterials(keyID, "CURRENT IMPORTED", "PENDING_MULTI_REGION_IMPORT_AND_ROTATION IMPORTED")
	f.expect(f.call("RotateKeyOnDemand", object{"KeyId": keyID}.String()), "KMSInvalidStateException", "")
	f.clock.advance(time.Hour)
	replica.expectMaterials(keyID, "CURRENT IMPORTED")
	replica.expect(replica.importMaterial(keyID, second, nil), "IncorrectKeyMaterialException", "")
}

// TestReplicaComesAgain shows that a replica made anew has nothing of the one that was deleted.
func TestReplicaComesAgain(t *testing.T) {
	f := newFixture(t)
	keyID := f.multiRegionKey("eu-west-1")
	one := f.region("eu-west-1")
	one.must("CreateAlias", object{"AliasName": "alias/a", "TargetKeyId": keyID})
	one.must("ScheduleKeyDeletion", object{"KeyId": keyID, "PendingWindowInDays": 7})
	f.clock.advance(7 * 24 * time.Hour)
	f.must("ReplicateKey", object{"KeyId": keyID, "ReplicaRegion": "eu-west-1"})
	one.expect(one.call("DescribeKey", object{"KeyId": "alias/a"}.String()), "NotFoundException", "")
}
