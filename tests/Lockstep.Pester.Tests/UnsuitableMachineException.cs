namespace Lockstep.Pester.Tests;

/// <summary>This machine lacks what the Pester suite needs; the message says what.</summary>
internal sealed class UnsuitableMachineException(string message) : Exception(message);
