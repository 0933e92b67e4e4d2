BeforeAll {
    Import-Module $PSScriptRoot/Support.psm1 -Force

    # A key pair in two PEM files.
    function New-KeyPair([string] $Name, [string] $Kind = 'Ecdsa') {
        $key = if ($Kind -eq 'Rsa') { [System.Security.Cryptography.RSA]::Create(2048) }
        else { [System.Security.Cryptography.ECDsa]::Create([System.Security.Cryptography.ECCurve+NamedCurves]::nistP256) }
        $key.ExportPkcs8PrivateKeyPem() | Set-Content "TestDrive:/$Name.key"
        $key.ExportSubjectPublicKeyInfoPem() | Set-Content "TestDrive:/$Name.pub"
        $key.Dispose()
    }

    # A certificate for the loopback address, with its key.
    function New-Certificate {
        $key = [System.Security.Cryptography.RSA]::Create(2048)
        $request = [System.Security.Cryptography.X509Certificates.CertificateRequest]::new(
            'CN=lockstep', $key, [System.Security.Cryptography.HashAlgorithmName]::SHA256,
            [System.Security.Cryptography.RSASignaturePadding]::Pkcs1)
        $names = [System.Security.Cryptography.X509Certificates.SubjectAlternativeNameBuilder]::new()
        $names.AddIpAddress('127.0.0.1')
        $request.CertificateExtensions.Add($names.Build())
        # By way of PKCS #12: Windows does not speak TLS with a key that is only in memory.
        $made = $request.CreateSelfSigned([datetimeoffset]::UtcNow.AddDays(-1), [datetimeoffset]::UtcNow.AddDays(1))
        [System.Security.Cryptography.X509Certificates.X509CertificateLoader]::LoadPkcs12($made.Export('Pkcs12'), $null)
    }
}

Describe 'Models with keys' {
    BeforeAll { 'alice', 'bob', 'eve' | ForEach-Object { New-KeyPair $_ } }
    AfterEach {
        Get-LockstepModelListener | Stop-LockstepModelListener
        Get-LockstepModel | Remove-LockstepModel
    }

    It 'takes in what a trusted key has signed, and has the id of its own key' {
        $alice = New-LockstepModel alice -PrivateKeyPath TestDrive:/alice.key -TrustedKeyPath TestDrive:/bob.pub
        $bob = New-LockstepModel bob -PrivateKeyPath TestDrive:/bob.key -TrustedKeyPath TestDrive:/alice.pub
        Set-LockstepModelValue $alice from alice
        $null = Start-LockstepModelListener $alice | Connect-LockstepModel $bob
        $got = Watch-LockstepModel $bob from -IncludeExisting | Select-Object -First 1
        $got.Value, $got.Source | Should -Be alice, $alice.Id
        $alice.Id | Should -Match '^[A-Za-z0-9+/]{43}=$'
        $alice.Id | Should -Not -Be $bob.Id
    }

    It 'keeps out what a key has signed that is not trusted' {
        $alice = New-LockstepModel alice -PrivateKeyPath TestDrive:/alice.key -TrustedKeyPath TestDrive:/b*.pub
        $eve = New-LockstepModel eve -PrivateKeyPath TestDrive:/eve.key -TrustedKeyPath TestDrive:/alice.pub
        Set-LockstepModelValue $alice from alice
        Set-LockstepModelValue $eve from eve
        $null = Start-LockstepModelListener $alice | Connect-LockstepModel $eve
        Wait-LockstepModel $eve -Synced -TimeoutSec 60 -WarningVariable ofEve
        Wait-LockstepModel $alice -Synced -TimeoutSec 60 -WarningVariable ofAlice -WarningAction SilentlyContinue
        $ofEve | Should -BeNullOrEmpty
        $ofAlice | Should -Be "alice: Changes of '$($eve.Id)' are held: they are not signed by a key that the model trusts."
        $alice.Held.Source, $alice.Held.Until, $alice.Held.Count | Should -Be $eve.Id, $null, 1
        (Get-LockstepModelValue $alice from).Source | Should -Be $alice.Id
        (Get-LockstepModelValue $eve).Key | Should -Be from
    }

    It 'signs as npm scuttlebutt does, with an id from the public key''s text' {
        New-KeyPair npm Rsa
        New-KeyPair peer Rsa
        $npmKeys = @{ PrivateKeyPath = 'TestDrive:/npm.key'; PublicKeyPath = 'TestDrive:/npm.pub'; TrustedKeyPath = 'TestDrive:/peer.pub' }
        $peerKeys = @{
            PrivateKeyPath = 'TestDrive:/peer.key'; PublicKeyPath = 'TestDrive:/peer.pub'; TrustedKeyPath = 'TestDrive:/npm.pub'
        }
        $model = New-LockstepModel npm -Signature RsaSha1 @npmKeys
        $text = [System.IO.File]::ReadAllBytes((Get-Item TestDrive:/npm.pub).FullName)
        $model.Id | Should -Be ([Convert]::ToBase64String([System.Security.Cryptography.SHA1]::HashData($text)))
        $peer = New-LockstepModel peer -Signature RsaSha1 @peerKeys
        Set-LockstepModelValue $model k 1
        $null = Start-LockstepModelListener $model | Connect-LockstepModel $peer
        (Watch-LockstepModel $peer k -IncludeExisting | Select-Object -First 1).Source | Should -Be $model.Id
    }

    It 'takes no change that is signed for another model, and with -ModernOnly none that is signed for no model' {
        $first = New-LockstepModel first -PrivateKeyPath TestDrive:/alice.key -SharedName prices
        Set-LockstepModelValue $first k 1
        Export-LockstepModel $first TestDrive:/prices.ndjson
        $bobKeys = @{ PrivateKeyPath = 'TestDrive:/bob.key'; TrustedKeyPath = 'TestDrive:/alice.pub' }
        $same = New-LockstepModel same @bobKeys -SharedName prices -ModernOnly
        $other = New-LockstepModel other -PrivateKeyPath TestDrive:/bob.key -TrustedKeyPath TestDrive:/alice.pub -ModernOnly
        (Get-ErrorOf { Import-LockstepModel other TestDrive:/prices.ndjson -ErrorAction Stop }).FullyQualifiedErrorId |
            Should -BeLike 'GossipSecurity,*'
        # A node without a key does not say for which model it passes changes on.
        (Get-Content TestDrive:/prices.ndjson) -replace ',"sealedFor":"prices"', '' | Set-Content TestDrive:/relayed.ndjson
        'other', 'same' | ForEach-Object { Import-LockstepModel $_ TestDrive:/relayed.ndjson }
        $other.Count, $same.Count | Should -Be 0, 1
        (Get-ErrorOf { New-LockstepModel m -SharedName m -ModernOnly -ErrorAction Stop }).FullyQualifiedErrorId |
            Should -BeLike 'GossipSecurity,*'
    }

    It 'shows and warns of changes that a peer held back' {
        $writer = New-LockstepModel writer -PrivateKeyPath TestDrive:/alice.key -SharedName prices
        'a', 'b', 'c' | ForEach-Object { Set-LockstepModelValue $writer $_ 1 }
        Export-LockstepModel $writer TestDrive:/whole.ndjson
        $whole = Get-Content TestDrive:/whole.ndjson
        $whole[0, 3, 4] | Set-Content TestDrive:/censored.ndjson
        $bobKeys = @{ PrivateKeyPath = 'TestDrive:/bob.key'; TrustedKeyPath = 'TestDrive:/alice.pub' }
        $reader = New-LockstepModel reader @bobKeys -SharedName prices -ModernOnly
        Import-LockstepModel $reader TestDrive:/censored.ndjson
        $reader.Missing[0].Source, $reader.Missing[0].Count, $reader.Missing[0].Number | Should -Be $writer.Id, 2, '1-2'
        $null = Start-LockstepModelListener $reader |
            Connect-LockstepModel (New-LockstepModel third -PrivateKeyPath TestDrive:/eve.key -SharedName prices)
        Wait-LockstepModel $reader -Synced -TimeoutSec 60 -WarningVariable told -WarningAction SilentlyContinue
        $told | Should -BeLike "reader: Changes of '$($writer.Id)' are missing (number 1-2): *"
        Import-LockstepModel $reader TestDrive:/whole.ndjson
        $reader.Missing | Should -BeNullOrEmpty
        $reader.Count | Should -Be 3
    }

    It 'refuses <name>' -ForEach @(
        @{ name = 'a file that is no key'; arguments = @{ PrivateKeyPath = 'TestDrive:/text.key' }; id = 'GossipSecurity'
        category = 'SecurityError' }
        @{ name = 'a key of another kind'; arguments = @{ PrivateKeyPath = 'TestDrive:/alice.key'
        PublicKeyPath = 'TestDrive:/alice.pub'; Signature = 'RsaSha1' }; id = 'GossipSecurity'; category = 'SecurityError' }
        @{ name = 'trusted keys without one''s own'; arguments = @{ TrustedKeyPath = 'TestDrive:/alice.pub' }; id = 'GossipSecurity'
        category = 'SecurityError' }
        @{ name = 'RSA without the public key''s file'; arguments = @{ PrivateKeyPath = 'TestDrive:/alice.key'; Signature = 'RsaSha1' }
        id = 'GossipSecurity'; category = 'SecurityError' }
        @{ name = 'a key that is not there'; arguments = @{ PrivateKeyPath = 'TestDrive:/nothing.key' }; id = 'FileNotFound'
        category = 'ObjectNotFound' }
        @{ name = 'another id than the key''s'; arguments = @{ PrivateKeyPath = 'TestDrive:/alice.key'; Id = 'me' }
        id = 'GossipIdentity'; category = 'InvalidArgument' }
    ) {
        'not a key' | Set-Content TestDrive:/text.key
        $failure = Get-ErrorOf { New-LockstepModel refused @arguments -ErrorAction Stop }
        $failure.FullyQualifiedErrorId | Should -BeLike "$id,*"
        $failure.CategoryInfo.Category | Should -Be $category
        $failure.ErrorDetails.RecommendedAction | Should -Not -BeNullOrEmpty
        Get-LockstepModel | Should -BeNullOrEmpty
    }
}

Describe 'Models over TLS and named pipes' {
    BeforeAll { $certificate = New-Certificate }
    BeforeEach {
        $there = New-LockstepModel there
        $here = New-LockstepModel here
        Set-LockstepModelValue $there a 1
    }
    AfterEach {
        Get-LockstepModelListener | Stop-LockstepModelListener
        Get-LockstepModel | Remove-LockstepModel
    }

    It 'speaks <scheme> with who trusts its certificate, or takes any' -ForEach @(
        @{ scheme = 'tls'; arguments = @{} }
        @{ scheme = 'wss'; arguments = @{ WebSocket = $true } }
    ) {
        $listener = Start-LockstepModelListener $there -Certificate $certificate @arguments
        $listener.Uri.Scheme | Should -Be $scheme
        $connection = $listener | Connect-LockstepModel $here -MaximumRetryCount 0
        { Wait-LockstepModel $here -Synced -TimeoutSec 60 -ErrorAction Stop } | Should -Throw
        $connection.LastError | Should -Not -BeNullOrEmpty
        Disconnect-LockstepModel $here

        $null = $listener | Connect-LockstepModel $here -TrustedCertificate $certificate
        Wait-LockstepModel $here -Synced -TimeoutSec 60
        Get-LockstepModelValue $here a -ValueOnly | Should -Be 1

        $careless = New-LockstepModel careless
        $null = $listener | Connect-LockstepModel $careless -SkipCertificateCheck
        Wait-LockstepModel $careless -Synced -TimeoutSec 60
        Get-LockstepModelValue $careless a -ValueOnly | Should -Be 1
    }

    It 'needs the certificate''s private key' {
        $public = [System.Security.Cryptography.X509Certificates.X509CertificateLoader]::LoadCertificate($certificate.RawData)
        (Get-ErrorOf { Start-LockstepModelListener $there -Certificate $public -ErrorAction Stop }).FullyQualifiedErrorId |
            Should -BeLike 'InvalidOption,*'
    }

    It 'listens on a named pipe, where several models are told apart by name' {
        $name = "lockstep-$(New-Guid)"
        $second = New-LockstepModel second
        Set-LockstepModelValue $second b 2
        $listener = $there, $second | Start-LockstepModelListener -PipeName $name
        $listener.Uri | Should -Be "pipe://localhost/$name"
        $listener.ModelUri | Should -Be "pipe://localhost/$name/there", "pipe://localhost/$name/second"
        $listener.Port | Should -Be -1
        $null = Connect-LockstepModel $here $listener.ModelUri[1]
        Wait-LockstepModel $here -Synced -TimeoutSec 60
        (Get-LockstepModelValue $here).Key | Should -Be b
        $listener | Stop-LockstepModelListener
        $listener.IsListening | Should -BeFalse
    }
}

Describe 'Retention of events' {
    AfterEach { Get-LockstepModel | Remove-LockstepModel }

    It 'keeps so many events, or for so long' {
        $bus = New-LockstepModel bus -Kind Events -MaximumEventCount 2
        1..5 | ForEach-Object { Send-LockstepEvent $bus "e$_" }
        (Receive-LockstepEvent $bus).Name | Should -Be e4, e5

        $short = New-LockstepModel short -Kind Events -MaximumEventAge 0
        Send-LockstepEvent $short old
        [System.Threading.Thread]::Sleep(5)
        Send-LockstepEvent $short new
        (Receive-LockstepEvent $short).Name | Should -Not -Contain old
    }

    It 'tells a peer that was away of what it misses' {
        $bus = New-LockstepModel bus -Kind Events -MaximumEventCount 2
        1..5 | ForEach-Object { Send-LockstepEvent $bus "e$_" }
        $late = New-LockstepModel late -Kind Events
        $null = Start-LockstepModelListener $bus | Connect-LockstepModel $late
        Wait-LockstepModel $late -Synced -TimeoutSec 60
        (Receive-LockstepEvent $late -WarningVariable told -WarningAction SilentlyContinue).Name | Should -Be e4, e5
        $told | Should -HaveCount 1
        $told | Should -BeLike "Events of '$($bus.Id)' up to * are missing here: the peers had forgotten them."
        Receive-LockstepEvent $bus -WarningVariable told | Out-Null
        $told | Should -BeNullOrEmpty
        Stop-LockstepModelListener
    }

    It 'is of events only, and no time is negative' {
        (Get-ErrorOf { New-LockstepModel m -MaximumEventCount 2 -ErrorAction Stop }).FullyQualifiedErrorId |
            Should -BeLike 'InvalidOption,*'
        (Get-ErrorOf { New-LockstepModel m -Kind Events -MaximumEventAge '-1' -ErrorAction Stop }).FullyQualifiedErrorId |
            Should -BeLike 'ParameterArgument*Error,*'
        (Get-ErrorOf { New-LockstepModel m -MaximumFuture '-1' -ErrorAction Stop }).FullyQualifiedErrorId |
            Should -BeLike 'ParameterArgument*Error,*'
        Get-LockstepModel | Should -BeNullOrEmpty
    }

    It 'holds what is stamped further ahead than -MaximumFuture' {
        $model = New-LockstepModel m -MaximumFuture 0:01
        $listener = Start-LockstepModelListener $model
        $client = [System.Net.Sockets.TcpClient]::new('127.0.0.1', $listener.Port)
        $soon = [datetimeoffset]::UtcNow.AddMinutes(30).ToUnixTimeMilliseconds()
        $null = $client.Client.Send(
            [byte[]][char[]]"{`"id`":`"x`",`"clock`":{}}`n[[`"now`",1],1,`"y`"]`n[[`"later`",1],$soon,`"x`"]`n`"SYNC`"`n")
        Wait-LockstepModel $model -Synced -TimeoutSec 60 -WarningVariable told -WarningAction SilentlyContinue
        Get-LockstepModelValue $model | ForEach-Object Key | Should -Be now
        $told | Should -BeLike "m: Changes of 'x' are held until *"
        $model.Held.Source | Should -Be x
        $model.Held.Until | Should -Be ([datetimeoffset]::FromUnixTimeMilliseconds($soon).AddMinutes(-1).LocalDateTime)
        $client.Dispose()
        Stop-LockstepModelListener
    }
}

Describe 'Export- and Import-LockstepModel' {
    BeforeEach { $model = New-LockstepModel m -Id me }
    AfterEach { Get-LockstepModel | Remove-LockstepModel }

    It 'carries values, removals and who wrote them over, as lines of JSON' {
        Set-LockstepModelValue $model a @{ x = 'ключ' }
        Set-LockstepModelValue $model gone 1
        Remove-LockstepModelValue $model gone
        $file = Export-LockstepModel $model TestDrive:/m.ndjson -PassThru
        $file | Should -BeOfType System.IO.FileInfo
        $lines = Get-Content $file
        $lines | Should -HaveCount 4
        ($lines[0] | ConvertFrom-Json).id | Should -Be me
        $lines[-1] | Should -Be '"SYNC"'

        $copy = New-LockstepModel copy
        Get-Item $file | Import-LockstepModel -Model copy
        $value = Get-LockstepModelValue $copy
        $value.Key, $value.Value.x, $value.Source | Should -Be a, 'ключ', me
    }

    It 'carries events over, and into a model that has them already once' {
        $bus = New-LockstepModel bus -Kind Events
        Send-LockstepEvent $bus started 1
        Export-LockstepModel $bus TestDrive:/bus.ndjson
        $other = New-LockstepModel other -Kind Events
        Import-LockstepModel $other TestDrive:/bus.ndjson
        Import-LockstepModel $other TestDrive:/bus.ndjson
        $got = Receive-LockstepEvent $other
        $got.Name | Should -Be started
        $got.Source | Should -Be $bus.Id
    }

    It 'refuses <name>' -ForEach @(
        @{ name = 'to overwrite a file'; script = { Export-LockstepModel m TestDrive:/there.ndjson -ErrorAction Stop }
        id = 'InvalidOption' }
        @{ name = 'a file that is not there'; script = { Import-LockstepModel m TestDrive:/nothing.ndjson -ErrorAction Stop }
        id = 'FileNotFound' }
        @{ name = 'a file of something else'; script = { Import-LockstepModel m TestDrive:/there.ndjson -ErrorAction Stop }
        id = 'GossipProtocol' }
        @{ name = 'the events of a file for a model of values'
        script = { Import-LockstepModel m TestDrive:/events.ndjson -ErrorAction Stop }; id = 'GossipKind' }
    ) {
        'something else' | Set-Content TestDrive:/there.ndjson
        $bus = New-LockstepModel bus -Kind Events
        Send-LockstepEvent $bus started
        Export-LockstepModel $bus TestDrive:/events.ndjson -Force
        $failure = Get-ErrorOf $script
        $failure.FullyQualifiedErrorId | Should -BeLike "$id,*"
        $failure.ErrorDetails.RecommendedAction | Should -Not -BeNullOrEmpty
        $model.Count | Should -Be 0
    }

    It 'does nothing with -WhatIf' {
        Set-LockstepModelValue $model a 1
        Export-LockstepModel $model TestDrive:/whatif.ndjson -WhatIf
        'TestDrive:/whatif.ndjson' | Should -Not -Exist
        Export-LockstepModel $model TestDrive:/real.ndjson
        $copy = New-LockstepModel copy
        Import-LockstepModel $copy TestDrive:/real.ndjson -WhatIf
        $copy.Count | Should -Be 0
    }
}
