# SPDX-License-Identifier: Apache-2.0
"""What happens around dlib's steps train, postprocess, evaluate, visualize and reason.

Each step has a module with one function, which `patches` calls. A step writes beside its output
directory and renames at the end, so that a directory is complete or absent and an older one is kept until its
successor is finished. Bad input ends in one clear message.
"""
