namespace Lockstep;

/// <summary>Where in a request the cursor goes.</summary>
public enum CursorStyle
{
    /// <summary>In the path when the URI ends with a slash, else in the query.</summary>
    Auto = 0,

    /// <summary>As the last element of the path: <c>/servers/998</c>.</summary>
    Path = 1,

    /// <summary>As the query's <c>since</c>: <c>/servers?since=998</c>.</summary>
    Query = 2,
}
