namespace Lockstep.Serving.Hosting;

/// <summary>Kestrel asks a service provider for optional parts; there are none.</summary>
internal sealed class EmptyServices : IServiceProvider
{
    public static EmptyServices Instance { get; } = new();

    public object? GetService(Type serviceType) => null;
}
