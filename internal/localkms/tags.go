package localkms

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	tagsPerKey        = 50
	maxTagKeyLength   = 128
	maxTagValueLength = 256
	reservedTagPrefix = "aws:"
)

// https://docs.aws.amazon.com/kms/latest/APIReference/API_Tag.html
type tag struct {
	TagKey   string
	TagValue string
}

// tags reads a list of tags.
func (r *reader) tags(name string, dst *[]tag) {
	var items []json.RawMessage
	if !r.value(name, "List", &items) {
		return
	}
	for _, item := range items {
		element, err := newReader(item, r.rules)
		if err != nil {
			r.refuse(errSerialization(name + " holds something that is not an object"))
			return
		}
		var one tag
		element.require("TagKey", "TagValue")
		element.text("TagKey", &one.TagKey, 1, maxTagKeyLength)
		element.text("TagValue", &one.TagValue, 0, maxTagValueLength)
		if element.refusal != nil {
			r.refuse(element.refusal)
		}
		r.constraints = append(r.constraints, element.constraints...)
		*dst = append(*dst, one)
	}
}

// newTags adds tags to those of a key.
func newTags(present map[string]string, added []tag) (map[string]string, error) {
	seen, tags := map[string]bool{}, map[string]string{}
	maps.Copy(tags, present)
	for _, one := range added {
		switch {
		case seen[one.TagKey]:
			return nil, clientError("TagException", "Duplicate tag keys")
		case strings.HasPrefix(strings.ToLower(one.TagKey), reservedTagPrefix):
			return nil, clientError("TagException", "Tags beginning with aws: are reserved")
		}
		seen[one.TagKey], tags[one.TagKey] = true, one.TagValue
	}
	if len(tags) > tagsPerKey {
		return nil, clientError("TagException", "Too many tags")
	}
	if len(tags) == 0 {
		return nil, nil //nolint:nilnil // no tags are no map: most keys have none, and there may be very many keys
	}
	return tags, nil
}

// tagList is a key's tags by name.
func tagList(tags map[string]string) (list []tag) {
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, tag{name, tags[name]})
	}
	return list
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_TagResource.html
type tagResourceInput struct {
	keyID string
	tags  []tag
}

func (in *tagResourceInput) read(r *reader) {
	r.require("KeyId", "Tags")
	r.text("KeyId", &in.keyID, 1, maxKeyIDLength)
	r.tags("Tags", &in.tags)
}

func (s *Server) tagResource(c *call, in tagResourceInput) (empty, error) {
	return empty{}, s.annotate(c, in.keyID, func(k *key) (err error) {
		k.tags, err = newTags(k.tags, in.tags)
		return err
	})
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_UntagResource.html
type untagResourceInput struct {
	keyID string
	names []string
}

func (in *untagResourceInput) read(r *reader) {
	r.require("KeyId", "TagKeys")
	r.text("KeyId", &in.keyID, 1, maxKeyIDLength)
	r.value("TagKeys", "List", &in.names)
	for _, name := range in.names {
		r.length("TagKeys", utf8.RuneCountInString(name), 1, maxTagKeyLength)
	}
}

func (s *Server) untagResource(c *call, in untagResourceInput) (empty, error) {
	return empty{}, s.annotate(c, in.keyID, func(k *key) error {
		for _, name := range in.names {
			delete(k.tags, name)
		}
		return nil
	})
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_UpdateKeyDescription.html
type updateKeyDescriptionInput struct {
	keyID       string
	description string
}

func (in *updateKeyDescriptionInput) read(r *reader) {
	r.require("KeyId", "Description")
	r.text("KeyId", &in.keyID, 1, maxKeyIDLength)
	r.text("Description", &in.description, 0, 8192)
}

func (s *Server) updateKeyDescription(c *call, in updateKeyDescriptionInput) (empty, error) {
	return empty{}, s.annotate(c, in.keyID, func(k *key) error {
		k.description = in.description
		return nil
	})
}

// annotate changes what is said of a key, which is possible unless it is about to be deleted.
func (s *Server) annotate(c *call, ref string, do func(k *key) error) error {
	return s.change(c, ref, func(_ tx, k *key) error {
		if err := s.rules.checkLive(k); err != nil {
			return err
		}
		return do(k)
	})
}

// listForKeyInput is the input of operations that list something of a key.
type listForKeyInput struct {
	page
	keyID string
}

func (in *listForKeyInput) readLimited(r *reader, usual, maximum int) {
	r.require("KeyId")
	r.text("KeyId", &in.keyID, 1, maxKeyIDLength)
	in.read(r, usual, maximum) // of the page
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_ListResourceTags.html
type listResourceTagsInput struct {
	listForKeyInput
}

func (in *listResourceTagsInput) read(r *reader) { in.readLimited(r, 50, 50) }

type listResourceTagsOutput struct {
	Tags       []tag
	NextMarker string `json:",omitempty"`
	Truncated  bool
}

func (s *Server) listResourceTags(c *call, in listResourceTagsInput) (out listResourceTagsOutput, err error) {
	k, err := s.find(c, in.keyID)
	if err != nil {
		return out, err
	}
	out.Tags, out.NextMarker, err = pagedByName(in.page, tagList(k.tags), func(t tag) string { return t.TagKey })
	out.Truncated = out.NextMarker != ""
	return out, err
}
