using Lockstep.Serving.Hosting;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer.Requests;

/// <summary>The newest requests of a server, oldest first. Thread-safe; memory is bounded by the capacity.</summary>
internal sealed class RequestLog(int capacity, TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly Queue<TestRequest> _requests = new();
    private long _count;

    /// <summary>How many there were, those that are no longer kept included.</summary>
    public long Count => Volatile.Read(ref _count);

    public TestRequest Begin(HttpRequest request, string? cursor)
    {
        var path = request.PathBase.Add(request.Path).ToUriComponent() + Secrets.Hide(request.QueryString);
        var headers = Secrets.Hide(request.Headers);
        lock (_gate)
        {
            TestRequest entry = new(++_count, time, request.Method, path, cursor, headers);
            if (capacity > 0)
            {
                if (_requests.Count == capacity)
                    _requests.Dequeue();
                _requests.Enqueue(entry);
            }
            return entry;
        }
    }

    public IReadOnlyList<TestRequest> ToList()
    {
        lock (_gate)
            return [.. _requests];
    }
}
