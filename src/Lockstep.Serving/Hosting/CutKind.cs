namespace Lockstep.Serving.Hosting;

/// <summary>How a server cuts a connection off.</summary>
public enum CutKind
{
    /// <summary>With a FIN: the client gets all bytes that were sent, then the end.</summary>
    Fin,

    /// <summary>With a RST: the client gets an error, and may lose bytes that it has not read yet.</summary>
    Reset,
}
