# SPDX-License-Identifier: Apache-2.0
"""What happens before, around and after dlib's steps train, postprocess, evaluate, visualize and reason.

`hook` calls what starts with `wrap`. A step writes beside its output directory and renames at the end, so that
a directory is complete or absent and an older one stays until its successor is finished. Bad input ends in one
message.
"""
