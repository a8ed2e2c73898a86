// Package file keeps the files of projects: what users upload for runs, and what
// runs leave behind, such as screenshots.
//
// What it promises:
//   - Bytes are on disk, under the name of their SHA-256, before a file can be
//     found; the same bytes are kept once, whoever has them. They go with the last
//     file that has them, and a crash at any point leaves none that nobody has.
//   - A file belongs to its project alone. What two projects have alike can't be
//     told from outside.
//   - The type of what users upload is read from the bytes. Neither a name nor a
//     header is believed, and what is none of the accepted types is refused.
//   - A file with a retention is gone when that ends.
//   - A project never has more bytes than it may. What has a retention makes room
//     for what is new, the oldest first; a file without one stays until it is
//     deleted, and what finds no room is refused.
//
// A tour: file.go (what a file is, reading), stage.go (an upload on its way),
// keep.go (a file comes and goes), room.go (how much a project has), sniff.go
// (types).
//
// To accept another type, edit sniff.go; to change where bytes are, keep.go.
package file
