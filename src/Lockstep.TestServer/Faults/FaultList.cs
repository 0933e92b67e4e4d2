using System.Collections;
using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Responses;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer.Faults;

/// <summary>
/// The faults of a server, in the order in which they were added. Thread-safe; a change takes effect with the next request.
/// </summary>
public sealed class FaultList : IReadOnlyCollection<ActiveFault>
{
    private readonly Lock _gate = new();
    private volatile ActiveFault[] _faults = [];
    private int _lastId;

    private readonly FeedKind _kind;
    private readonly IFeed _feed;
    private readonly bool _isSecure;

    internal FaultList(FeedKind kind, IFeed feed, bool isSecure) => (_kind, _feed, _isSecure) = (kind, feed, isSecure);

    /// <summary>How many there are.</summary>
    public int Count => _faults.Length;

    /// <summary>Adds a fault.</summary>
    /// <param name="fault">May be added to several servers.</param>
    /// <param name="id">A name for it; null to have one assigned.</param>
    /// <exception cref="ArgumentException">Its parameters make no sense, it can do nothing to this server's answers, or the id is taken.
    /// </exception>
    public ActiveFault Add(Fault fault, string? id = null)
    {
        ArgumentNullException.ThrowIfNull(fault);
        Check(fault);
        lock (_gate)
        {
            if (id is not null && Find(id) is not null)
                throw new ArgumentException($"A fault {id} already exists. Remove it first, or choose another id.", nameof(id));
            while (id is null || Find(id) is not null)
                id = "fault" + (++_lastId).ToString(CultureInfo.InvariantCulture);
            ActiveFault added = new(id, fault);
            _faults = [.. _faults, added];
            return added;
        }
    }

    /// <exception cref="ArgumentException">Its parameters make no sense, or it can do nothing to this server's answers.</exception>
    internal void Check(Fault fault)
    {
        fault.Validate();
        if (MisfitOf(fault) is { } reason)
            throw new ArgumentException($"{FaultKinds.Of(fault).Name} can do nothing to the {_kind} feed of this server: {reason}.");
    }

    private string? MisfitOf(Fault fault) =>
        fault is TlsFault && !_isSecure ? "it is served without TLS, so start it with a certificate" : fault.Misfit(_feed);

    /// <summary>Creates a fault by the name of its kind and adds it; see <see cref="FaultKinds"/>.</summary>
    /// <exception cref="ArgumentException">There is no such kind or parameter, or a value does not fit.</exception>
    public ActiveFault Add(string kind, IEnumerable<KeyValuePair<string, object?>>? parameters = null, string? id = null) =>
        Add(FaultKinds.Create(kind, parameters), id);

    /// <summary>The fault with this id (without regard to case), or null.</summary>
    public ActiveFault? Find(string id) => _faults.FirstOrDefault(fault => fault.Id.Equals(id, StringComparison.OrdinalIgnoreCase));

    /// <summary>Removes a fault; responses under way keep it.</summary>
    /// <returns>False if there is none with this id.</returns>
    public bool Remove(string id)
    {
        lock (_gate)
        {
            var before = _faults.Length;
            _faults = [.. _faults.Where(fault => !fault.Id.Equals(id, StringComparison.OrdinalIgnoreCase))];
            return _faults.Length < before;
        }
    }

    /// <summary>Removes all faults.</summary>
    public void Clear()
    {
        lock (_gate)
            _faults = [];
    }

    /// <summary>The faults at this moment.</summary>
    public IEnumerator<ActiveFault> GetEnumerator() => ((IEnumerable<ActiveFault>)_faults).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>The response that the faults for a request take part in; null for a request without faults.</summary>
    internal FaultedResponse? Select(HttpContext context, TestRequest log, TimeProvider time, IFeed feed)
    {
        if (_faults.Length == 0)
            return null;
        ActiveFault[] taking;
        lock (_gate)
            taking = [.. _faults.Where(fault => fault.Fault is not TlsFault && fault.Takes(context.Request.Path.Value))];
        if (taking.Length == 0)
            return null;
        FaultedResponse response = new(context, log, time, feed);
        foreach (var fault in taking)
        {
            response.IsTooLate = false;
            fault.Fault.Apply(response);
            // Of several that answer, each has its turn: a busy moment first, then an expired token.
            if (response.IsTooLate)
                GiveBack(fault);
        }
        log.Faults = [.. taking.Select(fault => fault.Id)];
        context.Features.Set<IResponseBodyFeature>(response);
        return response;
    }

    private void GiveBack(ActiveFault fault)
    {
        lock (_gate)
            fault.GiveBack();
    }

    /// <summary>The certificate for a connection that a fault applies to, else null.</summary>
    internal X509Certificate2? SelectCertificate(X509Certificate2 proper)
    {
        if (_faults.Length == 0)
            return null;
        lock (_gate)
        {
            return _faults
                .Where(fault => fault.Fault is TlsFault && fault.Takes(null))
                .Select(fault => ((TlsFault)fault.Fault).Certificate(proper))
                .FirstOrDefault();
        }
    }
}
