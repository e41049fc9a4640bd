using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps.Engine;

/// <summary>Hands every chunk of a stream to every consumer, on threads of their own. Each consumer sees them in order, so nothing depends on timing.</summary>
internal sealed class StreamHub : IStreamSink, IDisposable
{
    // Enough that neither side waits for a hiccup of the other; half a mebibyte each.
    private const int ChunksUnderWay = 8;

    private readonly Worker[] _workers;
    private readonly ConcurrentBag<StreamChunk> _free = [];
    private readonly ConcurrentDictionary<StreamChunk, int> _left = [];

    /// <summary>Starts the threads.</summary>
    /// <param name="consumers">Who takes the chunks.</param>
    /// <param name="threads">How many threads share them, at least 1.</param>
    public StreamHub(IReadOnlyList<IStreamConsumer> consumers, int threads)
    {
        int count = Math.Max(1, Math.Min(threads, consumers.Count));
        _workers = new Worker[count];
        for (int i = 0; i < count; i++)
            _workers[i] = new Worker(this, [.. consumers.Where((_, index) => index % count == i)]);
    }

    /// <inheritdoc/>
    public StreamChunk Exchange(StreamChunk full)
    {
        _left[full] = _workers.Length;
        foreach (Worker worker in _workers)
            worker.Take(full);
        return _free.TryTake(out StreamChunk? empty) ? empty : new StreamChunk();
    }

    /// <summary>Waits until everything handed over is done.</summary>
    public void Complete()
    {
        foreach (Worker worker in _workers)
            worker.Complete();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Worker worker in _workers)
            worker.Dispose();
    }

    private void Done(StreamChunk chunk)
    {
        if (_left.AddOrUpdate(chunk, 0, static (_, left) => left - 1) != 0)
            return;
        _left.TryRemove(chunk, out _);
        chunk.Count = 0;
        _free.Add(chunk);
    }

    private sealed class Worker : IDisposable
    {
        private readonly BlockingCollection<StreamChunk> _queue = new(ChunksUnderWay);
        private readonly StreamHub _hub;
        private readonly IStreamConsumer[] _consumers;
        private readonly Thread _thread;
        private ExceptionDispatchInfo? _failure;

        public Worker(StreamHub hub, IStreamConsumer[] consumers)
        {
            _hub = hub;
            _consumers = consumers;
            _thread = new Thread(Work) { IsBackground = true, Name = "sweep" };
            _thread.Start();
        }

        public void Take(StreamChunk chunk)
        {
            _failure?.Throw();
            _queue.Add(chunk);
        }

        public void Complete()
        {
            Stop();
            _failure?.Throw();
        }

        public void Dispose()
        {
            Stop();
            _queue.Dispose();
        }

        private void Stop()
        {
            if (!_queue.IsAddingCompleted)
                _queue.CompleteAdding();
            _thread.Join();
        }

        private void Work()
        {
            foreach (StreamChunk chunk in _queue.GetConsumingEnumerable())
            {
                try
                {
                    // After a failure chunks are only passed on, so that nobody waits for this thread.
                    if (_failure is null)
                    {
                        foreach (IStreamConsumer consumer in _consumers)
                            consumer.Apply(chunk);
                    }
                }
                catch (Exception exception)
                {
                    _failure = ExceptionDispatchInfo.Capture(exception);
                }

                _hub.Done(chunk);
            }
        }
    }
}
