"""Runs llama.cpp's own HTTP server, as the xllamacpp wheel ships it, behind llama-server's command line.

It lets the tests drive the real server where no llama-server is built. Only the flags that an orchestrator passes are
known; any other is an error, as it is for llama-server. Logs go to stderr; exit code 0 on SIGTERM or SIGINT, 1 on failure.
"""

import argparse
import os
import signal
import sys

import xllamacpp


class Parser(argparse.ArgumentParser):
    """llama-server answers a wrong command line with exit code 1, argparse with 2."""

    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(1, f"error: {message}\n")


def read_arguments():
    parser = Parser(prog="llama-server", allow_abbrev=False)
    parser.add_argument("-m", "--model", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9931)
    parser.add_argument("-c", "--ctx-size", type=int, default=0)
    parser.add_argument("-np", "--parallel", type=int, default=1)
    parser.add_argument("-t", "--threads", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("-ngl", "--gpu-layers", "--n-gpu-layers", dest="gpu_layers", type=int, default=-1)
    parser.add_argument("-a", "--alias")
    parser.add_argument("--metrics", action="store_true")
    parser.add_argument("--chat-template-file")
    parser.add_argument("--no-warmup", action="store_true")
    parser.add_argument("--embedding", "--embeddings", dest="embeddings", action="store_true")
    parser.add_argument("--pooling", choices=["none", "mean", "cls", "last", "rank"])
    return parser.parse_args()


def start_server(arguments):
    """Returns when the model is loaded; until then the port answers 503."""
    params = xllamacpp.CommonParams()
    params.model.path = arguments.model
    params.hostnames = [arguments.host]
    params.port = arguments.port
    params.n_ctx = arguments.ctx_size
    params.n_parallel = arguments.parallel
    params.n_gpu_layers = arguments.gpu_layers
    params.cpuparams.n_threads = arguments.threads
    params.cpuparams_batch.n_threads = arguments.threads
    params.endpoint_metrics = arguments.metrics
    params.warmup = not arguments.no_warmup
    params.embedding = arguments.embeddings
    if arguments.pooling is not None:
        params.pooling_type = getattr(
            xllamacpp.llama_pooling_type, f"LLAMA_POOLING_TYPE_{arguments.pooling.upper()}"
        )
    if arguments.chat_template_file is not None:
        with open(arguments.chat_template_file, encoding="utf-8") as template:
            params.chat_template = template.read()
    if arguments.alias is not None:
        params.model_alias = {arguments.alias}
    return xllamacpp.Server(params)


def main():
    arguments = read_arguments()
    try:
        server = start_server(arguments)
    except Exception as error:  # the binding raises RuntimeError for every cause: bad model, port in use
        print(f"error: {error}", file=sys.stderr, flush=True)
        # Threads of the C++ server may still run; without a hard exit the process would stay.
        os._exit(1)
    # Until here SIGTERM has its default effect (exit by signal at once), as it has on llama-server while it loads.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    print(f"server is listening on {server.listening_address}", file=sys.stderr, flush=True)
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
