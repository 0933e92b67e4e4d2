using System.Buffers;
using System.Text.Json;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Json;

namespace Lockstep.Gossip.Wire;

/// <summary>
/// Writes a node's own header piece by piece, so that a peer that does not read it costs only one piece, however many sources the node
/// knows. The clocks may advance between two pieces: an entry is correct when it is written, and a source that arrives meanwhile is written
/// too.
/// </summary>
/// <param name="id">The id of the node.</param>
/// <param name="clock">What the node knows.</param>
/// <param name="meta">Whatever the node's owner wants its peers to know, or null.</param>
/// <param name="horizon">Up to where the node has forgotten its events, or null.</param>
internal sealed class HeaderWriter(string id, GossipClock clock, JsonElement? meta, GossipClock? horizon)
{
    private int _clockWritten;
    private int _horizonWritten;
    private bool _isWithin;
    private Part _part;

    private enum Part
    {
        Beginning,
        Clock,
        Horizon,
        Done,
    }

    /// <summary>Writes the next piece, of about this many bytes; false if it was the last.</summary>
    /// <param name="output">Where to write.</param>
    /// <param name="bytes">The size of a piece.</param>
    /// <param name="show">The time to show for a source and its entry in the clock.</param>
    /// <param name="told">Called for each entry of the horizon.</param>
    public bool Write(ArrayBufferWriter<byte> output, int bytes, Func<string, double, double> show, Action<string, double> told)
    {
        var end = output.WrittenCount + bytes;
        while (_part != Part.Done)
        {
            if (output.WrittenCount >= end)
            {
                return true;
            }

            WriteNext(output, show, told);
        }

        return false;
    }

    private void WriteNext(ArrayBufferWriter<byte> output, Func<string, double, double> show, Action<string, double> told)
    {
        switch (_part)
        {
            case Part.Beginning:
                output.Write("{\"id\":"u8);
                JavaScriptString.Write(id, output);
                output.Write(",\"clock\":{"u8);
                _part = Part.Clock;
                break;
            case Part.Clock when _clockWritten < clock.Places:
                var (source, timestamp) = clock.EntryAt(_clockWritten++);
                WriteEntry(output, source, show(source, timestamp));
                break;
            case Part.Clock:
                output.Write("}"u8);
                _isWithin = false;
                if (meta is { ValueKind: not JsonValueKind.Undefined })
                {
                    output.Write(",\"meta\":"u8);
                    GossipJson.WriteCompact(JsonSerializer.SerializeToUtf8Bytes(meta.Value, MetaJson.Default.JsonElement), output);
                }

                output.Write(horizon is null ? "}\n"u8 : ",\"horizon\":{"u8);
                _part = horizon is null ? Part.Done : Part.Horizon;
                break;
            case Part.Horizon when _horizonWritten < horizon!.Places:
                var (forgetful, until) = horizon.EntryAt(_horizonWritten++);
                WriteEntry(output, forgetful, until);
                told(forgetful, until);
                break;
            case Part.Horizon:
                output.Write("}}\n"u8);
                _part = Part.Done;
                break;
        }
    }

    private void WriteEntry(ArrayBufferWriter<byte> output, string source, double timestamp)
    {
        // If a source's first update is missing, nothing is known of it.
        if (double.IsNegativeInfinity(timestamp))
        {
            return;
        }

        if (_isWithin)
        {
            output.Write(","u8);
        }

        _isWithin = true;
        JavaScriptString.Write(source, output);
        output.Write(":"u8);
        JavaScriptNumber.Write(timestamp, output);
    }
}
