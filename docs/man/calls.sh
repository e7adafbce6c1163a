#!/bin/bash
# calls.sh - the names of all calls of the library, one a line.
sed -n '/^DIFFUSE_API/,/;/p' client/diffuse.h proto/diffuse_err.h | grep -oE 'diffuse_[a-z_0-9]+\(' | tr -d '(' | sort -u
