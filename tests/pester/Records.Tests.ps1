# The way of a record from JSON to an object and back, below the cmdlets: what they all share.

BeforeAll {
    $assembly = [Lockstep.SyncResult].Assembly
    $script:warnings = [System.Collections.Generic.List[string]]::new()

    function ConvertFrom-Record([string[]] $Json, [string] $Table = 'servers') {
        $warnings.Clear()
        $objects = $assembly.GetType('Lockstep.Records.RecordObjects').GetConstructors()[0].Invoke(
            @($Table, [Action[string]] { param($text) $warnings.Add($text) }, $null, $null))
        foreach ($record in $Json) { $objects.Read([ReadOnlyMemory[byte]][Text.Encoding]::UTF8.GetBytes($record)) }
    }

    function ConvertTo-Record($Record) {
        try { [Text.Encoding]::UTF8.GetString($assembly.GetType('Lockstep.Records.RecordSerializer').GetConstructors()[0].Invoke(
            @()).Serialize($Record).ToArray()) }
        catch [System.Management.Automation.MethodInvocationException] { throw $_.Exception.InnerException }
    }
}

Describe 'A record as an object' {
    It 'has the JSON types' {
        $record = ConvertFrom-Record ('{"id":1,"big":123456789012345678901234567890,"f":0.5,"when":"2026-01-01T00:00:00Z","yes":true,' +
            '"none":null,"o":{"a":[1,"x",{"b":false}]},"e":[]}')

        $record.id | Should -BeOfType long
        $record.big | Should -BeOfType bigint
        "$($record.big)" | Should -Be '123456789012345678901234567890'
        $record.f | Should -BeOfType double
        $record.when | Should -BeOfType string
        $record.yes | Should -BeTrue
        $record.none | Should -BeNullOrEmpty
        $record.psobject.Properties['none'] | Should -Not -BeNullOrEmpty
        $record.o.a.GetType() | Should -Be ([object[]])
        $record.o.a[2].b | Should -BeFalse
        $record.e.Count | Should -Be 0
        $record.psobject.Properties.Name | Should -Be 'id', 'big', 'f', 'when', 'yes', 'none', 'o', 'e'
    }

    It 'carries the type names of its table, and what is nested does not' {
        $record = ConvertFrom-Record '{"id":1,"o":{}}'
        $record.pstypenames | Should -Be 'Lockstep.Record#servers', 'Lockstep.Record', 'System.Management.Automation.PSCustomObject',
            'System.Object'
        $record.o.pstypenames | Should -Be 'System.Management.Automation.PSCustomObject', 'System.Object'
    }

    It 'shares its type names with no other record when they are changed' {
        $one, $two = ConvertFrom-Record '{"id":1}', '{"id":2}'
        $one.pstypenames.Insert(0, 'Mine')
        $one.pstypenames[0] | Should -Be 'Mine'
        $two.pstypenames[0] | Should -Be 'Lockstep.Record#servers'
    }

    It 'is like any other custom object to Select-Object, Add-Member, Copy and ConvertTo-Json' {
        $record = ConvertFrom-Record '{"id":1,"port":80}'
        $copy = $record.psobject.Copy()
        $copy.port = 81
        $record.port | Should -Be 80
        ($record | Select-Object port).port | Should -Be 80
        $record | Add-Member extra 5
        $record | ConvertTo-Json -Compress | Should -Be '{"id":1,"port":80,"extra":5}'
        { $record.port = 82 } | Should -Not -Throw
        $record.port | Should -Be 82
    }

    It 'gives fields that PowerShell cannot tell apart, or keeps for itself, a suffix and one warning' {
        $record, $next = ConvertFrom-Record '{"id":1,"ID":2,"Id":3,"id_2":4,"":5,"PSObject":6}', '{"a":1,"A":2}'

        $record.psobject.Properties.Name | Should -Be 'id', 'ID_3', 'Id_4', 'id_2', '_2', 'PSObject_2'
        $record.psobject.Properties.Value | Should -Be 1, 2, 3, 4, 5, 6
        $next.A_2 | Should -Be 2
        $warnings | Should -HaveCount 1
        $warnings[0] | Should -Match "field 'ID' is called 'ID_3'"
    }

    It 'keeps half a surrogate pair' {
        [int](ConvertFrom-Record '{"s":"\ud800"}').s[0] | Should -Be 0xd800
    }

    It 'takes the last of values with one name' {
        (ConvertFrom-Record '{"a":1,"a":2}').a | Should -Be 2
    }
}

Describe 'An object as a record' {
    It 'comes out as it went in: <_>' -ForEach @(
        '{"id":1,"f":0.5,"s":"x","t":true,"n":null,"o":{"a":[1,[],{"b":-1}]},"big":123456789012345678901234567890}'
        '{"s":"\ud800 \udc00 \"\\ \u0001\n\r\t é 😀 </script>"}'
        '{"\ud800":1}'
        '{"min":-9223372036854775808,"tiny":5E-324,"large":1.7976931348623157E+308}'
    ) {
        ConvertTo-Record (ConvertFrom-Record $_) | Should -BeExactly $_
    }

    It 'takes <name>' -ForEach @(
        @{ name = 'a hashtable'; value = @{ id = 1 }; json = '{"id":1}' }
        @{ name = 'an ordered dictionary with keys that are no strings'; value = [ordered]@{ 1 = 'a'; [datetime]'2026-01-02' = 'b' }
        json = '{"1":"a","01/02/2026 00:00:00":"b"}' }
        @{ name = 'a custom object in a hashtable'; value = @{ o = [pscustomobject]@{ a = 1, 2 } }; json = '{"o":{"a":[1,2]}}' }
        @{ name = 'numbers of every kind'; value = [ordered]@{ a = [byte]1; b = 1.50d; c = [uint64]::MaxValue; d = [single]0.1
        e = [bigint]::Pow(2, 70) }; json = '{"a":1,"b":1.50,"c":18446744073709551615,"d":0.1,"e":1180591620717411303424}' }
        @{ name = 'times in ISO 8601'; value = [ordered]@{ a = [datetime]::new(2026, 1, 2, 3, 4, 5, 6, [DateTimeKind]::Utc)
        b = [datetimeoffset]::new(2026, 1, 2, 3, 4, 5, [timespan]::FromHours(2)); c = [dateonly]::new(2026, 1, 2)
        d = [timespan]'1.02:03:04' }
        json = '{"a":"2026-01-02T03:04:05.006Z","b":"2026-01-02T03:04:05+02:00","c":"2026-01-02","d":"1.02:03:04"}' }
        @{ name = 'bytes as base64'; value = @{ a = [byte[]](1, 2, 3) }; json = '{"a":"AQID"}' }
        @{ name = 'enums by name'; value = @{ a = [DayOfWeek]::Monday }; json = '{"a":"Monday"}' }
        @{ name = 'switches'; value = [ordered]@{ a = [switch]$true; b = [switch]$false }; json = '{"a":true,"b":false}' }
        @{ name = 'an XML element, by its attributes and elements'
        value = ([xml]'<r><s id="7"><name>x</name><tag>a</tag><tag>b</tag><at c="1"><d>e</d></at></s></r>').r.s
        json = '{"id":"7","name":"x","tag":["a","b"],"at":{"c":"1","d":"e"}}' }
        @{ name = 'an XML document in a property, as its text'; value = @{ a = [xml]'<r><s>1</s></r>' }; json = '{"a":"<r><s>1</s></r>"}' }
        @{ name = 'an XML element in a property'; value = @{ a = ([xml]'<r><s b="2">1</s></r>').r.s }
        json = '{"a":{"b":"2","#text":"1"}}' }
        @{ name = 'a bag of members that .NET takes for a list'
        value = (& { $bag = [System.Dynamic.ExpandoObject]::new(); $bag.id = 1; $bag.inner = [System.Dynamic.ExpandoObject]::new()
        $bag.inner.a = 2; , $bag }); json = '{"id":1,"inner":{"a":2}}' }
        @{ name = 'null in its forms'; value = [ordered]@{ a = $null; b = [DBNull]::Value
        c = [System.Management.Automation.Internal.AutomationNull]::Value }; json = '{"a":null,"b":null,"c":null}' }
    ) {
        ConvertTo-Record $value | Should -BeExactly $json
    }

    It 'takes an object of any class by its properties, added ones too' {
        $version = [pscustomobject]@{ Id = 1 } | Add-Member -PassThru ScriptProperty Twice { $this.Id * 2 }
        ConvertTo-Record $version | Should -Be '{"Id":1,"Twice":2}'
        $time = [timezone]::CurrentTimeZone | Select-Object @{ n = 'Year'; e = { 2026 } }
        ConvertTo-Record $time | Should -Be '{"Year":2026}'
        $drive = [System.Net.DnsEndPoint]::new('localhost', 80) | Add-Member -PassThru extra 1
        ConvertTo-Record $drive | Should -Match '"Host":"localhost".*"extra":1|"extra":1.*"Host":"localhost"'
    }

    It 'takes a row of data by its columns, in a property too' {
        $table = [System.Data.DataTable]::new('servers')
        $null = $table.Columns.Add('id', [int]), $table.Columns.Add('name', [string])
        $null = $table.Rows.Add(1, 'a'), $table.Rows.Add(2, [DBNull]::Value)
        ConvertTo-Record $table.Rows[0] | Should -BeExactly '{"id":1,"name":"a"}'
        ConvertTo-Record $table.DefaultView[1] | Should -BeExactly '{"id":2,"name":null}'
        ConvertTo-Record @{ row = $table.Rows[1] } | Should -BeExactly '{"row":{"id":2,"name":null}}'
        $reader = $table.CreateDataReader()
        $null = $reader.Read()
        ConvertTo-Record @{ row = $reader } | Should -BeExactly '{"row":{"id":1,"name":"a"}}'
        { ConvertTo-Record @{ rows = $table } } | Should -Throw "*'rows' is a DataTable*"
    }

    It 'takes PowerShell classes, nested ones too' {
        class Inner { [int] $B = 2 }
        class Outer { [string] $A = 'x'; [Inner] $I = [Inner]::new() }
        ConvertTo-Record ([Outer]::new()) | Should -Be '{"A":"x","I":{"B":2}}'
    }

    It 'does not depend on the culture' {
        $before = [cultureinfo]::CurrentCulture
        try {
            # Invariant globalization knows no other culture by name, so the test creates one.
            $culture = [cultureinfo]::InvariantCulture.Clone()
            $culture.NumberFormat.NumberDecimalSeparator = ','
            $culture.NumberFormat.NegativeSign = '~'
            [cultureinfo]::CurrentCulture = $culture
            ConvertTo-Record ([ordered]@{ a = -1.5; b = [decimal]-1.5; c = -1; d = [datetime]'2026-01-02' }) |
                Should -Be '{"a":-1.5,"b":-1.5,"c":-1,"d":"2026-01-02T00:00:00"}'
        }
        finally { [cultureinfo]::CurrentCulture = $before }
    }

    It 'refuses <name>' -ForEach @(
        @{ name = 'what is no number'; value = @{ a = [double]::NaN }; message = "*'a' is NaN*" }
        @{ name = 'infinity'; value = @{ a = [single]::PositiveInfinity }; message = "*'a' is Infinity*" }
        @{ name = 'a secret'; value = @{ a = [securestring]::new() }; message = "*'a' is a secret*" }
        @{ name = 'an object of some other class'; value = @{ a = [System.Diagnostics.Stopwatch]::new() }
        message = "*'a' is a Stopwatch*" }
        @{ name = 'a string'; value = 'x'; message = 'The record is a string*' }
        @{ name = 'an array'; value = , (1, 2); message = 'The record is an array*' }
        @{ name = 'a whole XML document'; value = [xml]'<r/>'; message = 'The record is a whole XML document*' }
        @{ name = 'a switch'; value = [switch]$true; message = 'The record is a SwitchParameter*' }
        @{ name = 'a number'; value = 5; message = 'The record is a Int32*' }
        @{ name = 'nothing'; value = $null; message = 'The record is nothing*' }
    ) {
        { ConvertTo-Record $value } | Should -Throw $message
    }

    It 'refuses what contains itself, and what lies deeper than 64' {
        $self = @{}
        $self.me = @{ again = $self }
        { ConvertTo-Record $self } | Should -Throw "*'again' contains itself*"

        $deep = @{}
        1..63 | ForEach-Object { $deep = @{ d = $deep } }
        ConvertTo-Record $deep | Should -Match '^{"d":'
        { ConvertTo-Record @{ d = $deep } } | Should -Throw "*'d' lies more than 64 levels deep*"
    }

    It 'passes on what a property throws' {
        { ConvertTo-Record ([pscustomobject]@{} | Add-Member -PassThru ScriptProperty bad { throw 'broken' }) } |
            Should -Throw "*'bad' cannot be read*broken*"
    }
}
