"""Device times with a cold L2: CUDA graphs replayed after a flush, candidates interleaved round by round."""

import statistics

import torch

FLUSH_BYTES = 256 << 20


def capture(function):
    """A CUDA graph of function(stream), warmed up first. `stream` is torch's current stream."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())  # what the function reads may still be being written
    with torch.cuda.stream(side):
        for _ in range(2):
            function(side)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        function(torch.cuda.current_stream())
    return graph


def interleaved_medians(graphs, rounds=5, replays=5):
    """{name: {"median_us", "rounds_us"}}; each round replays every graph `replays` times, each after a flush."""
    flush = torch.empty(FLUSH_BYTES, dtype=torch.uint8, device="cuda")
    per_round = {name: [] for name in graphs}
    for _ in range(rounds):
        for name, graph in graphs.items():
            times = []
            for _ in range(replays):
                flush.zero_()
                start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
                start.record()
                graph.replay()
                end.record()
                torch.cuda.synchronize()
                times.append(start.elapsed_time(end) * 1e3)
            per_round[name].append(statistics.median(times))
    return {name: {"median_us": statistics.median(times), "rounds_us": times} for name, times in per_round.items()}
