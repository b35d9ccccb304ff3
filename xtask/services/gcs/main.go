// fake-gcs-server, with the one request of the XML API that it lacks: `PUT /bucket/object`, which becomes the upload of the JSON API.
// Usage: fake-gcs-server ADDRESS FOLDER. Each folder in FOLDER is a bucket.
package main

import (
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

func main() {
	address, folder := os.Args[1], os.Args[2]
	server, err := fakestorage.NewServerWithOptions(fakestorage.Options{
		NoListener:  true,
		PublicHost:  address,
		Scheme:      "http",
		StorageRoot: folder,
	})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(address, withPut(server.HTTPHandler())))
}

func withPut(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		_, name, found := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if r.Method == http.MethodPut && found && !query.Has("uploadType") {
			query.Set("uploadType", "media")
			query.Set("name", name)
			if generation := r.Header.Get("x-goog-if-generation-match"); generation != "" {
				query.Set("ifGenerationMatch", generation)
			}
			r.URL.RawQuery = query.Encode()
			// The XML API answers with one, the JSON API without.
			w.Header().Set("ETag", `"uploaded"`)
		}
		next.ServeHTTP(w, r)
	})
}
