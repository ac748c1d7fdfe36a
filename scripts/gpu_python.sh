# What the scripts for a lent machine share: a Python that has what training needs. Sourced, with
# $python, $pack and $site set.
export PYTHONPATH="src:$(realpath "$site")" PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1

missing() {
  "$python" - <<'PYTHON'
from importlib.util import find_spec

needed = """defusedxml lightning matplotlib msgspec numpy onnx onnxruntime onnxscript PIL rich scipy
simplejpeg sklearn timm torch torchvision typer"""
print(*(name for name in needed.split() if find_spec(name) is None))
PYTHON
}

# What is missing comes out of the folder wheels beside the pack.
lacking=$(missing)
wheels=$(dirname "$pack")/wheels
if [ -n "$lacking" ] && compgen -G "$wheels/*.whl" >/dev/null; then
  "$python" -m pip install --quiet --no-index --no-deps --upgrade --target "$site" "$wheels"/*.whl
  lacking=$(missing)
fi
if [ -n "$lacking" ]; then
  cat >&2 <<EOF
missing Python packages: $lacking
put their wheels beside the pack, into $wheels:
  pip download --only-binary=:all: --no-deps --python-version $("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])') \\
    --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 -d wheels $lacking
EOF
  exit 2
fi
