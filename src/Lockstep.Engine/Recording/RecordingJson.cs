using System.Text.Json.Serialization;

namespace Lockstep.Engine.Recording;

/// <summary>Writes and reads the lines of recordings without reflection.</summary>
[JsonSerializable(typeof(RecordingLine))]
internal sealed partial class RecordingJson : JsonSerializerContext;
