package localkms_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/google/go-cmp/cmp"
)

// tagsOf makes a list of tags from keys and values in turn.
func tagsOf(pairs ...string) []object {
	tags := []object{}
	for i := 0; i < len(pairs); i += 2 {
		tags = append(tags, object{"TagKey": pairs[i], "TagValue": pairs[i+1]})
	}
	return tags
}

// numberedTags are tags that differ in their number.
func numberedTags(from, to int) []object {
	tags := []object{}
	for i := from; i < to; i++ {
		tags = append(tags, object{"TagKey": fmt.Sprintf("tag%02d", i), "TagValue": "x"})
	}
	return tags
}

// expectTags compares the tags of a key with keys and values in turn.
func (f *fixture) expectTags(keyID string, want ...string) {
	f.t.Helper()
	got := []string{}
	for _, one := range f.must("ListResourceTags", object{"KeyId": keyID}).fields["Tags"].([]any) {
		tag := one.(map[string]any)
		got = append(got, tag["TagKey"].(string), tag["TagValue"].(string))
	}
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		f.t.Errorf("tags (-want +got):\n%s", diff)
	}
}

func TestTags(t *testing.T) {
	f := newFixture(t)
	bare := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
	if a := f.must("ListResourceTags", object{"KeyId": bare}); a.body != `{"Tags":[],"Truncated":false}` {
		t.Errorf("no tags: %s", a.body)
	}
	created := f.must("CreateKey", object{"Tags": tagsOf("b", "2", "a", "1")})
	keyID := created.fields["KeyMetadata"].(map[string]any)["KeyId"].(string)
	f.expectTags(keyID, "a", "1", "b", "2")
	if a := f.must("TagResource", object{"KeyId": arnOf(keyID), "Tags": tagsOf("b", "", "C", "3", "é:/=+-@ ", "é")}); a.body != "" {
		t.Errorf("TagResource answers %q", a.body)
	}
	f.expectTags(keyID, "C", "3", "a", "1", "b", "", "é:/=+-@ ", "é")
	if a := f.must("UntagResource", object{"KeyId": keyID, "TagKeys": []string{"b", "c", "é:/=+-@ "}}); a.body != "" {
		t.Errorf("UntagResource answers %q", a.body)
	}
	f.expectTags(arnOf(keyID), "C", "3", "a", "1")
	f.must("UntagResource", object{"KeyId": bare, "TagKeys": []string{"a"}})
	f.must("UntagResource", object{"KeyId": keyID, "TagKeys": []string{"C", "a"}})
	f.expectTags(keyID)
	f.expectTags(bare)
}

// TestTagRules tries each list of tags on the three operations that take one. Nothing of a refused list is kept.
func TestTagRules(t *testing.T) {
	f := newFixture(t)
	const (
		one      = "1 validation error detected: Value"
		reserved = "Tags beginning with aws: are reserved"
	)
	for name, c := range map[string]struct {
		reason  string
		tags    any
		code    string
		message string
	}{
		"none":                {reason: "an empty list is one", tags: tagsOf()},
		"longest":             {reason: "128 and 256 characters, not bytes", tags: tagsOf(strings.Repeat("é", 128), strings.Repeat("é", 256))},
		"empty value":         {reason: "a tag may be its name", tags: tagsOf("a", "")},
		"case":                {reason: "two tags", tags: tagsOf("a", "1", "A", "2")},
		"aws without a colon": {reason: "not reserved", tags: tagsOf("aws", "1", "awsome:", "2", "xaws:", "3")},
		"fifty":               {reason: "the most", tags: numberedTags(0, 50)},
		"fifty-one":           {reason: "the recorded sentence", tags: numberedTags(0, 51), code: "TagException", message: "Too many tags"},
		"duplicate":           {reason: "the recorded sentence", tags: tagsOf("a", "1", "b", "2", "a", "3"), code: "TagException", message: "Duplicate tag keys"},
		"exact duplicate":     {reason: "the same twice is twice", tags: tagsOf("a", "1", "a", "1"), code: "TagException", message: "Duplicate tag keys"},
		"reserved":            {reason: "the recorded sentence", tags: tagsOf("a", "1", "aws:x", "2"), code: "TagException", message: reserved},
		"reserved, capitals":  {reason: "in whatever case", tags: tagsOf("AWS:x", "1"), code: "TagException", message: reserved},
		"empty key":           {reason: "at least a character", tags: tagsOf("", "1"), code: "ValidationException", message: one + " at 'tagKey' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		"long key":            {reason: "at most 128", tags: tagsOf(strings.Repeat("a", 129), "1"), code: "ValidationException", message: one + " at 'tagKey' failed to satisfy constraint: Member must have length less than or equal to 128"},
		"long value":          {reason: "at most 256", tags: tagsOf("a", strings.Repeat("1", 257)), code: "ValidationException", message: one + " at 'tagValue' failed to satisfy constraint: Member must have length less than or equal to 256"},
		"no key":              {reason: "required", tags: []object{{"TagValue": "1"}}, code: "ValidationException", message: one + " null at 'tagKey' failed to satisfy constraint: Member must not be null"},
		"no value":            {reason: "required", tags: []object{{"TagKey": "a", "TagValue": nil}}, code: "ValidationException", message: one + " null at 'tagValue' failed to satisfy constraint: Member must not be null"},
		"nothing":             {reason: "both required", tags: []object{{}}, code: "ValidationException"},
		"key of wrong type":   {reason: "tags are strings", tags: []object{{"TagKey": 1, "TagValue": "1"}}, code: "SerializationException"},
		"value of wrong type": {reason: "tags are strings", tags: []object{{"TagKey": "a", "TagValue": true}}, code: "SerializationException"},
		"null":                {reason: "no tag", tags: []any{nil}, code: "SerializationException"},
		"string":              {reason: "no tag", tags: []string{"a"}, code: "SerializationException"},
		"map":                 {reason: "no list", tags: object{"a": "1"}, code: "SerializationException"},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
			f.must("TagResource", object{"KeyId": keyID, "Tags": tagsOf("tag00", "before")})
			f.expect(f.call("TagResource", object{"KeyId": keyID, "Tags": c.tags}.String()), c.code, c.message)
			if c.code != "" {
				f.expectTags(keyID, "tag00", "before")
			}
			before := f.must("ListKeys", object{"Limit": 1000}).body
			f.expect(f.call("CreateKey", object{"Tags": c.tags}.String()), c.code, c.message)
			if c.code != "" && f.must("ListKeys", object{"Limit": 1000}).body != before {
				t.Error("a refused CreateKey leaves a key")
			}
			primary := f.multiRegionKey()
			f.expect(f.call("ReplicateKey", object{"KeyId": primary, "ReplicaRegion": "eu-west-1", "Tags": c.tags}.String()), c.code, c.message)
		})
	}
}

// TestTagLimit shows that the 50 count those the key has.
func TestTagLimit(t *testing.T) {
	f := newFixture(t)
	keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
	f.must("TagResource", object{"KeyId": keyID, "Tags": numberedTags(0, 49)})
	f.expect(f.call("TagResource", object{"KeyId": keyID, "Tags": numberedTags(48, 51)}.String()), "TagException", "Too many tags")
	f.must("TagResource", object{"KeyId": keyID, "Tags": numberedTags(48, 50)})
	f.must("TagResource", object{"KeyId": keyID, "Tags": numberedTags(0, 50)}) // over those that are there
	f.must("UntagResource", object{"KeyId": keyID, "TagKeys": []string{"tag07"}})
	f.must("TagResource", object{"KeyId": keyID, "Tags": tagsOf("other", "x")})
	f.expect(f.call("TagResource", object{"KeyId": keyID, "Tags": tagsOf("tag07", "x")}.String()), "TagException", "Too many tags")
}

func TestListResourceTags(t *testing.T) {
	f := newFixture(t)
	keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
	f.must("TagResource", object{"KeyId": keyID, "Tags": tagsOf("e", "", "d", "", "c", "", "b", "", "a", "")})
	var listed []string
	var pages []int
	for pager := kms.NewListResourceTagsPaginator(f.client, &kms.ListResourceTagsInput{KeyId: &keyID, Limit: new(int32(2))}); pager.HasMorePages(); {
		page, err := pager.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, len(page.Tags))
		for _, one := range page.Tags {
			listed = append(listed, *one.TagKey)
			f.must("UntagResource", object{"KeyId": keyID, "TagKeys": []string{*one.TagKey}}) // as a cleanup does
		}
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d", "e"}, listed); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{2, 2, 1}, pages); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	f.expect(f.call("ListResourceTags", object{"KeyId": keyID, "Marker": "%"}.String()), "InvalidMarkerException", "")
	f.expect(f.call("ListResourceTags", object{"KeyId": someKeyID}.String()), "NotFoundException", "Key '"+arnOf(someKeyID)+"' does not exist")
}

func TestUntagRules(t *testing.T) {
	f := newFixture(t)
	keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
	f.must("TagResource", object{"KeyId": keyID, "Tags": tagsOf("a", "1")})
	for name, c := range map[string]struct {
		reason string
		keys   any
		code   string
	}{
		"none":      {reason: "an empty list is one", keys: []string{}},
		"unknown":   {reason: "no error where there is nothing to remove", keys: []string{"b"}},
		"empty key": {reason: "at least a character", keys: []string{"a", ""}, code: "ValidationException"},
		"long key":  {reason: "at most 128", keys: []string{"a", strings.Repeat("é", 129)}, code: "ValidationException"},
		"tags":      {reason: "keys are strings", keys: tagsOf("a", "1"), code: "SerializationException"},
		"string":    {reason: "no list", keys: "a", code: "SerializationException"},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			f.expect(f.call("UntagResource", object{"KeyId": keyID, "TagKeys": c.keys}.String()), c.code, "")
			f.expectTags(keyID, "a", "1")
		})
	}
}

// TestDescribingByState shows that what is said of a key can be changed unless it is about to be deleted.
func TestDescribingByState(t *testing.T) {
	f := newFixture(t)
	for _, state := range []string{"Enabled", "Disabled", "PendingImport", "PendingDeletion"} {
		t.Run(state, func(t *testing.T) {
			f := f.in(t)
			keyID := f.keyIn(state, bytesOf(1, 32))
			code, message, tags, description := "", "", []string{"b", "2"}, "what for"
			if state == "PendingDeletion" {
				code, message, tags, description = "KMSInvalidStateException", arnOf(keyID)+" is pending deletion.", nil, ""
			}
			f.expect(f.call("TagResource", object{"KeyId": keyID, "Tags": tagsOf("a", "1", "b", "2")}.String()), code, message)
			f.expect(f.call("UntagResource", object{"KeyId": keyID, "TagKeys": []string{"a"}}.String()), code, message)
			f.expect(f.call("UpdateKeyDescription", object{"KeyId": keyID, "Description": "what for"}.String()), code, message)
			f.expectTags(keyID, tags...)
			if got := f.metadata(keyID)["Description"]; got != description {
				t.Errorf("Description %q", got)
			}
			f.expectState(keyID, state)
		})
	}
}

// TestTagsOfReplicas shows that a replica has tags, and a description, of its own.
func TestTagsOfReplicas(t *testing.T) {
	f := newFixture(t)
	keyID := f.multiRegionKey("eu-west-1")
	replica := f.region("eu-west-1")
	f.must("TagResource", object{"KeyId": keyID, "Tags": tagsOf("primary", "1")})
	replica.must("TagResource", object{"KeyId": keyID, "Tags": tagsOf("replica", "2")})
	f.must("UpdateKeyDescription", object{"KeyId": keyID, "Description": "here"})
	f.expectTags(keyID, "primary", "1")
	replica.expectTags(keyID, "replica", "2")
	if got := replica.metadata(keyID)["Description"]; got != "" {
		t.Errorf("Description of the replica: %q", got)
	}
}

// TestTagPropagation shows that readers see tags, descriptions and policies as late as anything else of a key.
func TestTagPropagation(t *testing.T) {
	f := newFixture(t, slow)
	created := f.must("CreateKey", object{"Tags": tagsOf("a", "1"), "Description": "before"})
	keyID := created.fields["KeyMetadata"].(map[string]any)["KeyId"].(string)
	f.clock.advance(10 * time.Second)
	f.must("UntagResource", object{"KeyId": keyID, "TagKeys": []string{"a"}})
	f.must("TagResource", object{"KeyId": keyID, "Tags": tagsOf("b", "2")})
	f.must("UpdateKeyDescription", object{"KeyId": keyID, "Description": "after"})
	f.putPolicy(keyID, allowAll)
	before := f.policy(keyID)
	f.expectTags(keyID, "a", "1")
	if got := f.metadata(keyID)["Description"]; got != "before" || before == allowAll {
		t.Errorf("seen at once: %q, %s", got, before)
	}
	f.clock.advance(10 * time.Second)
	f.expectTags(keyID, "b", "2")
	if got := f.metadata(keyID)["Description"]; got != "after" || f.policy(keyID) != allowAll {
		t.Errorf("never seen: %q, %s", got, f.policy(keyID))
	}
}
