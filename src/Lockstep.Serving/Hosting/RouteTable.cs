using Microsoft.AspNetCore.Http;

namespace Lockstep.Serving.Hosting;

/// <summary>
/// Maps path prefixes to handlers; the longest matching prefix wins. Routes may be added and removed while the host runs, from any thread.
/// </summary>
public sealed class RouteTable
{
    private readonly Lock _gate = new();
    private volatile Route[] _routes = [];

    /// <summary>The handler of a prefix.</summary>
    /// <param name="Prefix">The prefix, without a slash at its end.</param>
    /// <param name="Handler">Answers requests.</param>
    /// <param name="AnySite">Whether it answers whatever the endpoint's <see cref="SiteRules"/> say.</param>
    internal sealed record Route(PathString Prefix, RequestDelegate Handler, bool AnySite);

    /// <summary>
    /// Adds a handler for a prefix. Whole path elements are compared, ordinally: <c>/servers</c> matches <c>/servers/5</c> but not
    /// <c>/servers2</c>.
    /// </summary>
    /// <param name="prefix">A path that starts with a slash; a slash at its end is ignored. <c>/</c> matches every path.</param>
    /// <param name="handler">Called on a pool thread; its task ends the response. An exception before the response has started becomes
    /// status 500, one after that cuts the connection.</param>
    /// <param name="anySite">Whether it answers under any name and to any page, for endpoints that reveal nothing and change
    /// nothing.</param>
    /// <returns>This table.</returns>
    /// <exception cref="ArgumentException">The prefix does not start with a slash or is there already.</exception>
    public RouteTable Add(string prefix, RequestDelegate handler, bool anySite = false)
    {
        ArgumentNullException.ThrowIfNull(handler);
        ArgumentException.ThrowIfNullOrEmpty(prefix);
        PathString path = new(prefix.TrimEnd('/'));
        lock (_gate)
        {
            if (_routes.Any(route => route.Prefix.Equals(path, StringComparison.Ordinal)))
                throw new ArgumentException($"The path {prefix} already has a handler.", nameof(prefix));
            _routes = [.. _routes.Append(new Route(path, handler, anySite)).OrderByDescending(route => route.Prefix.Value?.Length ?? 0)];
        }
        return this;
    }

    /// <summary>Removes a prefix; does nothing if it does not exist. Requests in progress continue.</summary>
    public void Remove(string prefix)
    {
        PathString path = new(prefix.TrimEnd('/'));
        lock (_gate)
            _routes = [.. _routes.Where(route => !route.Prefix.Equals(path, StringComparison.Ordinal))];
    }

    internal Route? Find(PathString path)
    {
        foreach (var route in _routes)
        {
            if (path.StartsWithSegments(route.Prefix, StringComparison.Ordinal))
                return route;
        }
        return null;
    }
}
