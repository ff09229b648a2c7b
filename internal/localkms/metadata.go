package localkms

import "github.com/keyimport-dev/kms-key-import-operator/internal/localkms/material"

// https://docs.aws.amazon.com/kms/latest/APIReference/API_KeyMetadata.html
type keyMetadata struct {
	AWSAccountID                string `json:"AWSAccountId,omitempty"`
	AccountID                   string `json:"AccountId,omitempty"` // QKMS, in the answer of CreateKey
	KeyID                       string `json:"KeyId"`
	ARN                         string `json:"Arn"`
	CreationDate                timestamp
	Enabled                     bool
	Description                 string
	KeyUsage                    string
	KeyState                    keyState
	DeletionDate                timestamp `json:",omitzero"`
	PendingDeletionWindowInDays int       `json:",omitempty"`
	ValidTo                     timestamp `json:",omitzero"`
	Origin                      string
	ExpirationModel             string `json:",omitempty"`
	KeyManager                  string
	CustomerMasterKeySpec       string
	KeySpec                     string
	EncryptionAlgorithms        []string `json:",omitempty"`
	SigningAlgorithms           []string `json:",omitempty"`
	MacAlgorithms               []string `json:",omitempty"`
	KeyAgreementAlgorithms      []string `json:",omitempty"`
	EncapsulationAlgorithms     []string `json:",omitempty"`
	MultiRegion                 bool
	MultiRegionConfiguration    *multiRegionConfiguration `json:",omitempty"`
	CurrentKeyMaterialID        string                    `json:"CurrentKeyMaterialId,omitempty"`
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_MultiRegionConfiguration.html
type multiRegionConfiguration struct {
	MultiRegionKeyType string
	PrimaryKey         multiRegionKey
	ReplicaKeys        []multiRegionKey
}

type multiRegionKey struct {
	ARN    string `json:"Arn"`
	Region string
}

// metadata is what KMS shows of a key. ExpirationModel and ValidTo belong to the material and go with it; the ID of the
// current material stays.
func (s *Server) metadata(k *key) keyMetadata {
	expiry := k.materials.expiry()
	m := keyMetadata{
		AWSAccountID:             s.names.account,
		KeyID:                    k.id,
		ARN:                      k.arn,
		CreationDate:             s.stamp(k.created),
		Enabled:                  k.state() == stateEnabled,
		Description:              k.description,
		KeyUsage:                 k.usage,
		KeyState:                 k.state(),
		DeletionDate:             s.stamp(k.deletionDate()),
		ValidTo:                  s.stamp(expiry.validTo),
		Origin:                   k.origin,
		ExpirationModel:          expiry.model,
		KeyManager:               "CUSTOMER",
		CustomerMasterKeySpec:    k.spec.Name(),
		KeySpec:                  k.spec.Name(),
		MultiRegion:              k.family != nil,
		MultiRegionConfiguration: s.multiRegion(k),
		CurrentKeyMaterialID:     s.shownMaterialID(k, k.materials.currentID()),
	}
	if k.state() == statePendingReplicaDeletion {
		m.PendingDeletionWindowInDays = k.scheduled.days
	}
	m.addAlgorithms(k)
	return m
}

// asQKMSCreatesKeys spells the account as the page of CreateKey does, and no other page.
func (m *keyMetadata) asQKMSCreatesKeys(r rules) {
	m.AccountID, m.AWSAccountID = m.AWSAccountID, ""
	if r.assumed[ARNAsKeyID] {
		m.KeyID = m.ARN
	}
}

// addAlgorithms lists what the key can do, under the name of its usage.
func (m *keyMetadata) addAlgorithms(k *key) {
	algorithms := k.spec.Algorithms(k.usage)
	switch k.usage {
	case material.EncryptDecrypt:
		m.EncryptionAlgorithms = algorithms
	case material.SignVerify:
		m.SigningAlgorithms = algorithms
	case material.GenerateVerifyMac:
		m.MacAlgorithms = algorithms
	case material.KeyAgreement:
		m.KeyAgreementAlgorithms = algorithms
	case material.EncapsulateDecapsulate:
		m.EncapsulationAlgorithms = algorithms
	}
}

func (s *Server) multiRegion(k *key) *multiRegionConfiguration {
	if k.family == nil {
		return nil
	}
	member := func(region string) multiRegionKey {
		return multiRegionKey{ARN: s.names.keyARN(place{region, k.id}), Region: region}
	}
	configuration := &multiRegionConfiguration{
		MultiRegionKeyType: "PRIMARY", PrimaryKey: member(k.family.primary), ReplicaKeys: []multiRegionKey{},
	}
	if k.isReplica() {
		configuration.MultiRegionKeyType = "REPLICA"
	}
	for _, region := range k.family.alive(k.now) {
		configuration.ReplicaKeys = append(configuration.ReplicaKeys, member(region))
	}
	return configuration
}
