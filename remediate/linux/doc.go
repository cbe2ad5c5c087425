// Package linux has what packages that write need of Linux and other systems do not have. Elsewhere each call is an
// error, so that harden compiles there: `harden check --source` writes nothing. The tag portable has Linux take
// the same way, for tests.
package linux
