namespace Lockstep.TestServer.Parts;

/// <summary>Marks a parameter whose value is never shown (I9).</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class SecretAttribute : Attribute;
