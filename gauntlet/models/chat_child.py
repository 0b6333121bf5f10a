"""What the child process of an embedded server runs: settings in by stdin, the address out by stdout, then it serves.

It ends when its stdin does, and so with the process that started it, however that ends.
"""

import json
import os
import sys


def serve() -> None:
    """Serve one gguf file on a free port of loopback until stdin closes."""
    settings = json.loads(sys.stdin.readline())
    import xllamacpp

    server = xllamacpp.Server(_parameters(settings))
    os.write(1, f"{server.listening_address}\n".encode())
    sys.stdin.read()
    os._exit(0)  # the server's own threads would have to be waited for


def _parameters(settings: dict) -> object:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings["gguf"]
    params.api_keys = [settings["key"]]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.ui = False
    params.verbosity = -1
    params.n_parallel = 1
    params.n_ctx = params.n_batch = params.n_ubatch = settings["context_tokens"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings["threads"]
    params.n_threads_http = 4
    params.cache_ram_mib = 0
    params.n_gpu_layers = 0
    params.reasoning_format = xllamacpp.common_reasoning_format.COMMON_REASONING_FORMAT_NONE
    params.sampling.samplers = "top_p;temperature"  # the protocol's two, without llama.cpp's own top_k and min_p
    # With flash attention the roundings depend on how much of a prompt is remembered.
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    return params


if __name__ == "__main__":
    serve()
