package localkms

// https://docs.aws.amazon.com/kms/latest/APIReference/API_KeyMetadata.html
type keyMetadata struct {
	AWSAccountID          string `json:"AWSAccountId"`
	KeyID                 string `json:"KeyId"`
	ARN                   string `json:"Arn"`
	CreationDate          epochSeconds
	Enabled               bool
	Description           string
	KeyUsage              string
	KeyState              keyState
	DeletionDate          epochSeconds `json:",omitzero"`
	ValidTo               epochSeconds `json:",omitzero"`
	Origin                string
	ExpirationModel       string `json:",omitempty"`
	KeyManager            string
	CustomerMasterKeySpec string
	KeySpec               string
	EncryptionAlgorithms  []string `json:",omitempty"`
	MacAlgorithms         []string `json:",omitempty"`
	MultiRegion           bool
	CurrentKeyMaterialID  string `json:"CurrentKeyMaterialId,omitempty"`
}

// metadata is what KMS shows of a key. ExpirationModel and ValidTo belong to the material and go with it; its
// ID stays.
func (s *Server) metadata(k *key) keyMetadata {
	m := keyMetadata{
		AWSAccountID:          s.account.id,
		KeyID:                 k.id,
		ARN:                   k.arn,
		CreationDate:          epochSeconds(k.created),
		Enabled:               k.state() == stateEnabled,
		Description:           k.description,
		KeyUsage:              k.spec.usage,
		KeyState:              k.state(),
		DeletionDate:          epochSeconds(k.deletionDate),
		Origin:                k.origin,
		KeyManager:            "CUSTOMER",
		CustomerMasterKeySpec: k.spec.name,
		KeySpec:               k.spec.name,
		EncryptionAlgorithms:  k.spec.encryptionAlgorithms,
		MacAlgorithms:         k.spec.macAlgorithms,
		CurrentKeyMaterialID:  k.publicMaterialID(),
	}
	if k.material != nil {
		m.ExpirationModel, m.ValidTo = k.material.expiry.model, epochSeconds(k.material.expiry.validTo)
	}
	return m
}
