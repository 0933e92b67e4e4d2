namespace Lockstep;

/// <summary>A kind of fault that a test server can have.</summary>
/// <param name="Kind">Its name, for <c>Add-LockstepTestFault -Kind</c>.</param>
/// <param name="Description">What it does.</param>
/// <param name="Parameter">What it takes, a line each: name, type and meaning.</param>
public sealed record TestFaultKindInfo(string Kind, string Description, IReadOnlyList<string> Parameter);
