namespace Lockstep.Staging;

/// <summary>What keeps the module from being staged, said so that the person at the build can repair it.</summary>
internal sealed class StagingException(string message) : Exception(message);
