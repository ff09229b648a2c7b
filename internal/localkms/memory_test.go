package localkms_test

import (
	"fmt"
	"net/http"
	"runtime"
	"testing"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// TestMemoryPerKey fills a server with as many keys as a Region of AWS may hold, and some with imported material: together
// that must stay below 4 KiB.
func TestMemoryPerKey(t *testing.T) {
	const keys, imported = 100_000, 500
	h := newHandler(t, localkms.Options{})
	h.warm(t, h.createKey(t, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "EXTERNAL"), "RSA_2048")
	perKey := memoryOf(keys, func(int) {
		if _, err := h.Do("CreateKey", []byte(`{"Origin": "EXTERNAL"}`)); err != nil {
			t.Fatal(err)
		}
	})
	ids := make([]string, imported)
	for i := range ids {
		ids[i] = h.createKey(t, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "EXTERNAL")
	}
	perImport := memoryOf(imported, func(i int) {
		p := h.importParameters(t, ids[i], "RSAES_OAEP_SHA_256", "RSA_2048")
		h.must(t, h.prepareImport(t, p, ids[i], randomBytes(t, 32)))
	})
	t.Logf("%d bytes a key, and %d bytes an import", perKey, perImport)
	if total := perKey + perImport; total >= 4096 {
		t.Errorf("%d bytes for a key with imported material, want less than 4096", total)
	}
	runtime.KeepAlive(h)
}

// TestKeysForgetRequests makes keys by requests with very long headers.
func TestKeysForgetRequests(t *testing.T) {
	h := newHandler(t, localkms.Options{})
	long := func(r *http.Request) {
		for i := range 200 {
			r.Header.Set(fmt.Sprintf("X-Amz-Meta-Something-Long-%d", i), "x")
		}
	}
	if perKey := memoryOf(200, func(int) { h.must(t, h.prepare(t, "CreateKey", object{}, long)) }); perKey >= 4096 {
		t.Errorf("%d bytes a key: it keeps the headers", perKey)
	}
	runtime.KeepAlive(h)
}

// memoryOf is how much more memory is in use after a number of steps, for each.
func memoryOf(steps int, do func(i int)) int {
	before := heapInUse()
	for i := range steps {
		do(i)
	}
	return int(heapInUse()-before) / steps
}

// heapInUse is what is left after the garbage is gone.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC() // what the first one made unreachable by finalizers and pools
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
